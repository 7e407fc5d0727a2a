//go:build !unix

package load

import (
	"errors"
	"time"
)

// cpuTime needs getrusage.
func cpuTime() (time.Duration, error) {
	return 0, errors.New("the CPU time of a client is measured with getrusage: run the benchmarks on a Unix system")
}
