package load

import (
	"runtime"
	"time"
)

// usage is what this process has used up, or did between two points in time.
type usage struct {
	cpu    time.Duration // user and system; 0 where that cannot be told
	allocs uint64
	bytes  uint64
}

// takeUsage reads the counters. It stops the world for some microseconds.
func takeUsage() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{cpu: cpuTime(), allocs: m.Mallocs, bytes: m.TotalAlloc}
}

func (u usage) since(before usage) usage {
	return usage{cpu: u.cpu - before.cpu, allocs: u.allocs - before.allocs, bytes: u.bytes - before.bytes}
}
