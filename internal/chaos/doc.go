// Command chaos proves the delivery contract of keyslot against real clusters that are resharded, failed over, killed,
// frozen, replaced and cut off while a recorded load runs. See README.md.
package main
