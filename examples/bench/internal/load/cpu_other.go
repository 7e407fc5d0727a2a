//go:build !unix

package load

import "time"

// cpuTime needs getrusage.
func cpuTime() time.Duration { return 0 }
