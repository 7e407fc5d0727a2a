package main

import "syscall"

// endWithParent makes the kernel kill the worker when the driver dies, even while it is frozen.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
