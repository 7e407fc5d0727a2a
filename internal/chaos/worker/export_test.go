package worker

import (
	"context"
	"math/rand/v2"
	"net"
	"time"
)

// Outcome is what a record says of an error.
var Outcome = outcome

// PausesAfter returns the pauses of a lane with an operation every interval, before which it was held up for so long.
func PausesAfter(heldUp, interval time.Duration, n int) []time.Duration {
	l := &lane{interval: interval, draw: rand.New(rand.NewPCG(1, 2)), next: time.Now().Add(-heldUp)}
	pauses := make([]time.Duration, n)
	for i := range pauses {
		pauses[i] = l.pause(1)
	}
	return pauses
}

// NewGuard returns a guard that asks the resolver at server.
var NewGuard = newGuard

// Dial is Options.Dial of the client.
func (g *guard) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return g.dial(ctx, network, addr)
}

// Told is what the guard has seen.
func (g *guard) Told() (signs map[string]int, violations []string) { return g.told() }
