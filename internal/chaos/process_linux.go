package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// endWithParent makes the kernel kill the worker when the driver dies, even while it is frozen.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// prefer gives a process a higher priority, where this one may: the load measures how late calls return, and shares the
// processors with the servers.
func prefer(pid int) {
	// The kernel counts by threads; those to come inherit it.
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, -10) // who may not runs as it is
		}
	}
}
