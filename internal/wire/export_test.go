package wire

import "time"

// CountExactly makes the connection believe what a failed Write says, as it does for sockets.
func CountExactly(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exact = true
}

// Silence returns what the watchdog makes of ticks with the given gaps between them while nothing arrives.
func Silence(gaps ...time.Duration) (silent []time.Duration) {
	now := time.Now()
	w := watchdog{last: now, since: now}
	for _, gap := range gaps {
		now = now.Add(gap)
		silent = append(silent, w.observe(now, 0, 0))
	}
	return silent
}
