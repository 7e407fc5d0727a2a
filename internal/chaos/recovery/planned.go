package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// movedSlots is how many slots a reshard moves, key by key.
const movedSlots = 300

// planned measures what fails while an operator changes the cluster in an orderly way.
func planned(ctx context.Context, b *bench) error {
	return b.withLoad(ctx, realcluster.Options{}, keyslot.Options{}, func(ctx context.Context, r *rig, l *load) error {
		var added *realcluster.Node
		steps := []struct {
			name string
			do   func(ctx context.Context) error
		}{
			{"failover of every shard", r.failEachOver},
			{"reshard there and back", r.reshard},
			{"scale-out", func(ctx context.Context) (err error) {
				added, err = r.scaleOut(ctx)
				return err
			}},
			{"scale-in, node shut down behind its last slot", func(ctx context.Context) error { return r.scaleIn(ctx, added) }},
			{"rolling replacement of every node", r.replaceAll},
		}
		var marks []time.Time
		for _, step := range steps {
			progress("planned: %s", step.name)
			marks = append(marks, time.Now())
			limited, cancel := context.WithTimeout(ctx, stepLimit)
			err := step.do(limited)
			cancel()
			if err == nil {
				err = realcluster.Wait(ctx, time.Second)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
		}
		records := l.end()
		for i, step := range steps {
			during := func(r record) bool {
				return !r.end().Before(marks[i]) && (i+1 == len(marks) || r.end().Before(marks[i+1]))
			}
			n, first := failures(records, during)
			if first != nil {
				progress("first failure: %v", first)
			}
			b.atMost("planned", step.name+": failed commands", float64(n), 0, "")
		}
		b.note("planned", "commands", float64(len(records)), "")
		return b.account(ctx, "planned", l.client, records)
	})
}

// account adds what the ledger says: nothing twice, nothing lost, nothing there that was told not to be.
func (b *bench) account(ctx context.Context, figure string, client *keyslot.Client, records []record) error {
	a, err := b.exactlyOnce(ctx, figure, client, records)
	if err == nil {
		b.atMost(figure, "acknowledged writes lost", float64(len(a.lost)), 0, "")
	}
	return err
}

// exactlyOnce adds only that nothing ran twice, or against what was told: for faults where servers may lose what
// they acknowledged.
func (b *bench) exactlyOnce(ctx context.Context, figure string, client *keyslot.Client, records []record) (account, error) {
	a, err := settle(ctx, client, records)
	if err == nil {
		b.atMost(figure, "commands that ran twice, or against what was told", float64(a.doubled+a.untrue), 0, "")
	}
	return a, err
}

func (r *rig) failEachOver(ctx context.Context) error {
	for shard := range primaries {
		replicas, err := r.ReplicasOf(ctx, firstSlot(shard))
		if err != nil {
			return err
		}
		if err := r.Failover(ctx, replicas[0]); err != nil {
			return err
		}
	}
	return nil
}

// firstSlot is the first slot of a shard of a new cluster.
func firstSlot(shard int) int { return 16384 * shard / primaries }

func (r *rig) reshard(ctx context.Context) error {
	from, err := r.Primary(ctx, firstSlot(0))
	if err != nil {
		return err
	}
	to, err := r.Primary(ctx, firstSlot(1))
	if err != nil {
		return err
	}
	if err := r.Reshard(ctx, from, to, movedSlots); err != nil {
		return err
	}
	return r.Reshard(ctx, to, from, movedSlots)
}

func (r *rig) scaleOut(ctx context.Context) (*realcluster.Node, error) {
	added, err := r.AddPrimary(ctx)
	if err != nil {
		return nil, err
	}
	from, err := r.Primary(ctx, firstSlot(2))
	if err != nil {
		return nil, err
	}
	return added, r.Reshard(ctx, from, added, movedSlots)
}

// scaleIn moves all slots of a node away, and ends it the moment that it says so itself.
func (r *rig) scaleIn(ctx context.Context, leaving *realcluster.Node) error {
	to, err := r.Primary(ctx, firstSlot(0))
	if err != nil {
		return err
	}
	shut := make(chan error, 1)
	// Ends when the node is empty or ctx is done; received from below.
	go func() { shut <- r.shutWhenEmpty(ctx, leaving) }()
	// redis-cli has lost the node when it looks around at the end, which is the point.
	resharded := r.Reshard(ctx, leaving, to, movedSlots)
	if err := <-shut; err != nil {
		return fmt.Errorf("%w; %w", err, resharded)
	}
	if err := realcluster.Wait(ctx, 2*time.Second); err != nil {
		return err
	}
	return r.Remove(ctx, leaving)
}

func (r *rig) shutWhenEmpty(ctx context.Context, n *realcluster.Node) error {
	conn, err := r.Dial(ctx, n)
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		nodes, err := conn.Do(ctx, "CLUSTER", "NODES")
		if err != nil {
			return err
		}
		if ownsNothing(nodes) {
			return n.Shutdown()
		}
		if err := realcluster.Wait(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// ownsNothing reads the line of a node about itself: id, address, flags, primary, two times, epoch, link, slots.
func ownsNothing(nodes string) bool {
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) >= 8 && strings.Contains(fields[2], "myself") {
			return len(fields) == 8
		}
	}
	return false
}

// replaceAll puts a new node in the place of each one, replicas and primaries.
func (r *rig) replaceAll(ctx context.Context) error {
	for _, n := range slices.Clone(r.Nodes()) {
		if n.PID() == 0 {
			continue
		}
		if _, err := r.Replace(ctx, n); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}
