//go:build !unix

package main

import "syscall"

// Signals that no process can be sent here; no engine is found on such a system either.
const (
	signalFreeze = syscall.Signal(-1)
	signalThaw   = syscall.Signal(-1)
)
