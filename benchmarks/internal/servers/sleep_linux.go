package servers

import (
	"syscall"
	"time"
)

// sleepUntil blocks this thread until due. An idle Go process rounds the sleeps of its goroutines up to a millisecond.
func sleepUntil(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		pause := syscall.NsecToTimespec(int64(left))
		_ = syscall.Nanosleep(&pause, nil) // the loop sees to it that an interrupted sleep is continued
	}
}
