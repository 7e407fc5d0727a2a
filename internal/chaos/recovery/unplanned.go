package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// struck is what became of one primary and its shard.
type struck struct {
	shard   int
	at      time.Time // of the strike
	served  time.Time // when a raw probe of the promoted node succeeded
	primary *realcluster.Node
}

// dies is how long the shard serves nobody, at least: until the promotion, which takes a second and more. What was
// answered just before the strike does not count.
const dies = nodeTimeout / 2

// back returns when the client succeeded, by the commands of the load.
func (s struck) back(records []record) comeback {
	return comebackOf(records, s.shard, func(r record) bool { return r.end().After(s.at.Add(dies)) })
}

// behind is how much later than the raw probe something was.
func (s struck) behind(t time.Time) time.Duration { return max(0, t.Sub(s.served)) }

// strike does something to the primary of a shard that makes the cluster replace it, and waits until all workers are back.
func (r *rig) strike(ctx context.Context, l *load, shard int, do func(*realcluster.Node) error) (s struck, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if s.primary, err = r.Primary(ctx, firstSlot(shard)); err != nil {
		return s, err
	}
	replicas, err := r.ReplicasOf(ctx, firstSlot(shard))
	if err != nil {
		return s, err
	}
	if len(replicas) == 0 {
		return s, fmt.Errorf("shard %d has no replica", shard)
	}
	s.shard, s.at = shard, time.Now()
	if err := do(s.primary); err != nil {
		return s, err
	}
	back := make(chan error, 1)
	// Ends with the workers' success, or ctx; received from below.
	go func() { back <- l.awaitSuccess(ctx, shard, s.at.Add(dies)) }()
	s.served, err = r.probe(ctx, replicas[0], valueKey(anyTag(shard)))
	return s, errors.Join(err, <-back)
}

// kills measures how soon after the promotion a client is back whose primary was killed.
func kills(ctx context.Context, b *bench) error {
	return b.withLoad(ctx, realcluster.Options{}, keyslot.Options{}, func(ctx context.Context, r *rig, l *load) error {
		var all []struck
		for i := range b.kills {
			s, err := r.strike(ctx, l, i%primaries, (*realcluster.Node).Kill)
			if err != nil {
				return err
			}
			all = append(all, s)
			progress("kill %d: served after %v", i+1, s.served.Sub(s.at).Round(time.Millisecond))
			limited, cancel := context.WithTimeout(ctx, stepLimit)
			err = errors.Join(s.primary.Restart(limited), r.WaitHealthy(limited), realcluster.Wait(limited, time.Second))
			cancel()
			if err != nil {
				return err
			}
		}
		records := l.end()
		var behind, last, down []time.Duration
		for _, s := range all {
			c := s.back(records)
			behind, last, down = append(behind, s.behind(c.first)), append(last, s.behind(c.last)), append(down, c.first.Sub(s.at))
		}
		b.note("kill", "kills", float64(len(all)), "")
		b.atMost("kill", "client behind a raw probe of the promoted node, median", milliseconds(quantile(behind, 0.5)), 100, "ms")
		b.atMost("kill", "client behind a raw probe of the promoted node, max", milliseconds(quantile(behind, 1)), 250, "ms")
		b.atMost("kill", "its last caller behind that probe, max", milliseconds(quantile(last, 1)), 250, "ms")
		b.note("kill", "from SIGKILL to the client's success, median", milliseconds(quantile(down, 0.5)), "ms")
		told := func(r record) bool { return !errors.Is(r.err, keyslot.ErrUnknownOutcome) }
		n, first := failures(records, told)
		if first != nil {
			progress("first failure: %v", first)
		}
		b.atMost("kill", "commands failed but those in flight at the killed node", float64(n), 0, "")
		a, err := b.exactlyOnce(ctx, "kill", l.client, records)
		if err == nil {
			b.note("kill", "acknowledged writes lost, which the killed nodes had not replicated", float64(len(a.lost)), "")
		}
		return err
	})
}

const (
	frozenFor = 8 * time.Second
	calm      = 10 * time.Second
)

// stops measures what a frozen primary costs, its own shard and the others.
func stops(ctx context.Context, b *bench) error {
	var behind, last, ratios []time.Duration
	var others, lost, doubled int
	for i := range b.runs {
		opts := realcluster.Options{PartialCoverage: true}
		err := b.withLoad(ctx, opts, keyslot.Options{}, func(ctx context.Context, r *rig, l *load) error {
			f, err := b.stop(ctx, r, l)
			if err != nil {
				return err
			}
			progress("stop %d: client %v behind, p99 of the others x %.2f", i+1, f.behind.Round(time.Millisecond), f.ratio)
			behind, last = append(behind, f.behind), append(last, f.last)
			ratios = append(ratios, time.Duration(f.ratio*float64(time.Second)))
			others, lost, doubled = others+f.others, lost+f.lost, doubled+f.doubled
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.atMost("stop", "client behind a raw probe of the promoted node, max", milliseconds(quantile(behind, 1)), 500, "ms")
	b.atMost("stop", "its last caller behind that probe, max", milliseconds(quantile(last, 1)), 500, "ms")
	b.atMost("stop", "writes acknowledged behind the promoted node's back, lost", float64(lost), 0, "")
	b.atMost("stop", "commands that ran twice, or against what was told", float64(doubled), 0, "")
	b.atMost("stop", "other shards, full coverage no: failed commands", float64(others), 0, "")
	b.atMost("stop", "other shards, full coverage no: p99 against the 10 s before, median", quantile(ratios, 0.5).Seconds(), 1.2, "x")
	return b.withLoad(ctx, realcluster.Options{}, keyslot.Options{}, func(ctx context.Context, r *rig, l *load) error {
		f, err := b.stop(ctx, r, l)
		if err != nil {
			return err
		}
		b.atMost("stop", "other shards, full coverage yes: failed commands", float64(f.others), 0, "")
		b.atMost("stop", "full coverage yes: client behind a raw probe", milliseconds(f.behind), 500, "ms")
		b.atMost("stop", "full coverage yes: its last caller behind that probe", milliseconds(f.last), 500, "ms")
		return nil
	})
}

// stopped is what one frozen primary cost.
type stopped struct {
	behind  time.Duration
	last    time.Duration // of its last caller
	ratio   float64       // p99 of the other shards, while the primary was frozen, to that before
	others  int           // failed commands of the other shards
	lost    int
	doubled int
}

func (b *bench) stop(ctx context.Context, r *rig, l *load) (f stopped, err error) {
	if err := realcluster.Wait(ctx, calm); err != nil {
		return f, err
	}
	s, err := r.strike(ctx, l, 0, (*realcluster.Node).Freeze)
	if err != nil {
		return f, err
	}
	if err := realcluster.Wait(ctx, time.Until(s.at.Add(frozenFor))); err != nil {
		return f, err
	}
	thawed := time.Now()
	if err := errors.Join(s.primary.Thaw(), realcluster.Wait(ctx, 2*time.Second)); err != nil {
		return f, err
	}
	records := l.end()
	a, err := settle(ctx, l.client, records)
	if err != nil {
		return f, err
	}
	var before, during []time.Duration
	for _, r := range records {
		switch end := r.end(); {
		case shardOfWorker(r.worker) == s.shard:
		case end.Before(s.at) && end.After(s.at.Add(-calm)):
			before = append(before, r.waits(l.every)...)
		case end.After(s.at) && end.Before(thawed):
			during = append(during, r.waits(l.every)...)
		}
	}
	for _, r := range a.lost {
		// The node may have died in between an answer and its replication; what it acknowledges later is lost behind our back.
		if r.end().After(s.at.Add(50 * time.Millisecond)) {
			f.lost++
		}
	}
	var first error
	f.others, first = failures(records, func(r record) bool { return shardOfWorker(r.worker) != s.shard })
	if first != nil {
		progress("first failure: %v", first)
	}
	c := s.back(records)
	f.behind, f.last, f.doubled = s.behind(c.first), s.behind(c.last), a.doubled+a.untrue
	quiet, meanwhile := quantile(before, 0.99), quantile(during, 0.99)
	progress("p99 of the other shards: %v of %d commands before, %v of %d meanwhile", quiet, len(before), meanwhile, len(during))
	f.ratio = float64(meanwhile) / float64(quiet)
	return f, nil
}
