//go:build unix

package load

import (
	"syscall"
	"time"
)

// cpuTime returns the CPU time, user and system, of all threads of this process.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
