package load

import (
	"runtime"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
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

// by returns what each of the operations has cost, and nothing of none.
func (u usage) by(operations int64) (each record.Usage) {
	if n := float64(operations); n > 0 {
		each.CPUPerOp = float64(u.cpu.Nanoseconds()) / 1e3 / n
		each.AllocsPerOp, each.BytesPerOp = float64(u.allocs)/n, float64(u.bytes)/n
	}
	return each
}
