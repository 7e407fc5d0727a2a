//go:build !unix

package main

import "syscall"

// No process can be frozen here: sending these fails, and there are no servers to run on either.
const (
	signalFreeze = syscall.Signal(-1)
	signalThaw   = syscall.Signal(-1)
)
