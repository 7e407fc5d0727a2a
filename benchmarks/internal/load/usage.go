package load

import (
	"runtime"
	"time"
)

// usage is what this process has used up, or did between two points in time.
type usage struct {
	at     time.Time
	wall   time.Duration
	cpu    time.Duration // user and system
	allocs uint64
	bytes  uint64
}

// takeUsage reads the counters. It stops the world for some microseconds.
func takeUsage() (usage, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, err := cpuTime()
	return usage{at: time.Now(), cpu: cpu, allocs: m.Mallocs, bytes: m.TotalAlloc}, err
}

func (u usage) since(before usage) usage {
	return usage{
		wall:   u.at.Sub(before.at),
		cpu:    u.cpu - before.cpu,
		allocs: u.allocs - before.allocs,
		bytes:  u.bytes - before.bytes,
	}
}
