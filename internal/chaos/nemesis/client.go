package nemesis

import (
	"context"
	"errors"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// clientFamily is about the client's own process.
func clientFamily() []Nemesis {
	return []Nemesis{
		{
			Name: "cancel-storm", What: "most contexts end while their command is under way",
			Plan: func(_ context.Context, s *Stage) error {
				s.Mode.CancelStorm = true
				return nil
			},
			Run: func(ctx context.Context, s *Stage) error {
				return realcluster.Wait(ctx, s.between(2*time.Second, 4*time.Second))
			},
			Expects: []string{unknown}, Dials: 12, ByLoad: true,
		},
		{
			Name: "client-frozen-killed", What: "the client's process stands still, and its connections are reset",
			Run: clientFrozen(false), Expects: []string{reset, dials}, Dials: 60,
		},
		{
			Name: "client-frozen-stranded", What: "the client's process stands still, and its connections lead nowhere from then on",
			Run: clientFrozen(true), Expects: []string{stranded, dials}, Dials: 60,
			// A connection that waits at the server is silent when all is well. Where packets are lost, TCP keepalive
			// ends it; a proxy's kernel goes on acknowledging.
			Hangs: []string{"blpop", "watch"},
		},
	}
}

// clientFrozen stops the client, for longer than its IdleProbe: after less, a connection that leads nowhere is noticed
// by its silence only.
func clientFrozen(strand bool) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		lasts := s.between(IdleProbe+time.Second, 4*IdleProbe)
		s.note("for %v", lasts)
		if err := s.Client.Freeze(); err != nil {
			return err
		}
		err := realcluster.Wait(ctx, lasts/2)
		for _, n := range s.Cluster.Live() {
			if strand {
				s.Signs[stranded] += s.Net.Front(n).Strand()
			} else {
				s.reset(n)
			}
		}
		err = errors.Join(err, realcluster.Wait(ctx, lasts/2), s.Client.Thaw())
		if strand && err == nil {
			err = realcluster.Wait(ctx, PeerTimeout) // what was in flight is given up for its silence
		}
		return err
	}
}
