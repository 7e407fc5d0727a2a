package main

import (
	"context"
	"net/http"
	"time"

	"github.com/keyslot-go/keyslot"
)

// healthz says that this process lives. It asks nobody: a store that is away is not mended by restarting its clients.
func (s *service) healthz(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]bool{"alive": true}, nil
}

// readiness is what /readyz tells.
type readiness struct {
	Ready  bool    `json:"ready"`
	Reason string  `json:"reason,omitempty"` // why not
	Slots  int     `json:"slots"`            // that somebody serves, of 16384
	Epoch  uint64  `json:"epoch"`
	Age    string  `json:"age"` // of the slot map
	Shards []shard `json:"shards"`
}

type shard struct {
	Primary  string `json:"primary"`
	Replicas int    `json:"replicas"`
	Slots    int    `json:"slots"`
}

const allSlots = 16384

// readyz says whether requests should be sent here: the client knows who serves each slot, and has heard so lately.
func (s *service) readyz(r *http.Request) (int, any, error) {
	// A map is fetched anew when a command finds it old, so without requests it would only age. This command is for
	// that; how it ends does not matter.
	ctx, cancel := context.WithTimeout(r.Context(), s.settings.probe)
	defer cancel()
	_, _ = s.client.Exists(ctx, "service:ready")

	now := readinessOf(s.client.Topology(), s.settings.mapAge)
	if !now.Ready {
		return http.StatusServiceUnavailable, now, nil
	}
	return http.StatusOK, now, nil
}

// readinessOf judges a topology that may be as old as maxAge.
func readinessOf(t keyslot.Topology, maxAge time.Duration) readiness {
	now := readiness{Slots: t.Covered, Epoch: t.Epoch, Age: t.Age.Round(time.Millisecond).String(), Shards: []shard{}}
	for _, known := range t.Shards {
		described := shard{Primary: known.Primary.Addr(), Replicas: len(known.Replicas)}
		for _, run := range known.Slots {
			described.Slots += int(run.Last-run.First) + 1
		}
		now.Shards = append(now.Shards, described)
	}
	switch {
	case t.Covered < allSlots:
		now.Reason = "some slots have no primary"
	case t.Age > maxAge:
		now.Reason = "the slot map is old: no node tells a newer one"
	default:
		now.Ready = true
	}
	return now
}
