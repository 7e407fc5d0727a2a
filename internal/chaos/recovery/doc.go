// Command recovery measures how soon keyslot is back after what happens to real clusters: planned changes, killed,
// frozen and unreachable nodes, replaced addresses, a frozen client, a herd of clients. It prints a table beside the
// targets and one JSON line, and its exit status is 1 if a target was missed. See README.md.
package main
