// Package worker is the child process of the chaos run: it uses the public API of keyslot under a mixed load, and writes
// down what it was told. It is a process of its own because the run freezes it, and builds it with broken clients.
//
// The driver gives orders on its standard input, and it answers on its standard output, one JSON object a line each.
// See Order and Answer. It ends when its input does. What it says by itself goes to standard error.
package worker
