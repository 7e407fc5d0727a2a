//go:build !linux

package servers

import "time"

// sleepUntil blocks until due, or up to a millisecond longer.
func sleepUntil(due time.Time) { time.Sleep(time.Until(due)) }
