package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/chaos/nemesis"
	"github.com/keyslot-go/keyslot/internal/chaos/worker"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// outcome is what came of one round.
type outcome struct {
	round   int
	nemesis nemesis.Nemesis
	setup   setup
	note    string
	took    time.Duration

	figures    ledger.Figures
	traffic    ledger.Traffic
	violations []ledger.Violation
}

const (
	// How long the load runs before the nemesis strikes, and again once it has healed. In the second one every lane of
	// the load must succeed, so it is longer than a dial that has just begun when the nemesis ended.
	calmBefore = 700 * time.Millisecond
	calmAfter  = 2 * time.Second
	// healTime bounds what a nemesis does, and again what the cluster needs after it.
	healTime = 60 * time.Second
	// endTime is how long operations that are under way may take: what is patient ends with the command timeout.
	endTime = commandTimeout + 10*time.Second
)

// play runs one round. An error that isStuck is the client's; any other is the harness's, which cannot go on.
func (s *session) play(ctx context.Context, p plan, round int) (o outcome, err error) {
	began := time.Now()
	n := p.nemesis(round)
	o = outcome{round: round, nemesis: n, setup: s.setup}
	stage := &nemesis.Stage{
		Cluster: s.cluster, Net: s.stand, Client: s.child, Access: s.child, Rand: p.rand(round), Round: round,
		Signs: ledger.Signs{},
	}
	before, healed, end, err := s.strike(ctx, stage, n)
	o.note, o.took = stage.Note, time.Since(began)
	var bare []ledger.Record
	if stage.Bare != nil {
		bare = stage.Bare.Stop()
	}
	if err != nil {
		return o, err
	}
	maps.Copy(end.Signs, stage.Signs)
	now, err := s.read(ctx)
	if err != nil {
		return o, err
	}
	o.traffic = now.since(before)
	if n.ByLoad {
		healed = 0
	}
	return o, s.judge(ctx, &o, ledger.Round{
		Earlier: s.earlier, Bare: bare, Lanes: end.Lanes, Healed: healed, Signs: end.Signs, Beats: end.Beats,
		Terms: ledger.Terms{Lossy: stage.Lossy, Seamless: n.Seamless, Answers: n.Answers, Hangs: n.Hangs},
	}, end)
}

// strike runs the load of one round, and in it the nemesis.
func (s *session) strike(ctx context.Context, stage *nemesis.Stage, n nemesis.Nemesis) (
	before meter, healed time.Duration, end worker.Answer, err error,
) {
	if n.Plan != nil {
		if err := s.heal(ctx, func(ctx context.Context) error { return n.Plan(ctx, stage) }); err != nil {
			return before, 0, end, fmt.Errorf("preparing %s: %w", n.Name, err)
		}
	}
	if before, err = s.read(ctx); err != nil {
		return before, 0, end, err
	}
	if _, err := s.child.order(ctx, endTime, worker.Order{Do: worker.Begin, Round: stage.Round, Mode: stage.Mode}); err != nil {
		return before, 0, end, err
	}
	if err := realcluster.Wait(ctx, calmBefore); err != nil {
		return before, 0, end, err
	}
	if err := s.heal(ctx, func(ctx context.Context) error { return n.Run(ctx, stage) }); err != nil {
		return before, 0, end, fmt.Errorf("%s: %w", n.Name, err)
	}
	mark, err := s.child.order(ctx, orderTime, worker.Order{Do: worker.Mark})
	if err != nil {
		return before, 0, end, err
	}
	if err := realcluster.Wait(ctx, calmAfter); err != nil {
		return before, 0, end, err
	}
	end, err = s.child.order(ctx, endTime, worker.Order{Do: worker.End})
	return before, mark.At, end, err
}

// heal lets a nemesis do something and then waits until the cluster is whole.
func (s *session) heal(ctx context.Context, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	if err := do(limited); err != nil {
		return err
	}
	limited, cancelHealing := context.WithTimeout(ctx, healTime)
	defer cancelHealing()
	if err := s.cluster.WaitHealthy(limited); err != nil {
		return fmt.Errorf("the cluster does not heal: %w", err)
	}
	return nil
}

// judge compares what the worker was told with what the servers hold, and makes them empty for the next round.
func (s *session) judge(ctx context.Context, o *outcome, told ledger.Round, end worker.Answer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	if told.Records, err = ledger.ReadFile(end.File); err != nil {
		return err
	}
	if told.Held, err = ledger.Read(ctx, s.cluster, slices.Concat(told.Records, told.Earlier, told.Bare)); err != nil {
		return err
	}
	o.figures, o.violations = told.Check()
	for _, text := range end.Violations {
		o.violations = append(o.violations, ledger.Violation{Check: "worker", Text: text})
	}
	o.violations = append(o.violations, s.bounds(o, end)...)
	s.earlier = ledger.Refused(told.Records)
	s.tidy()
	return ledger.Clear(ctx, s.cluster)
}

// topologyFloor and topologyRate are how often all servers together may be asked for the topology in a round: once for
// the map that a client has from its last round, and for each second one refresh of three nodes every 500 ms with some to
// spare. dialRate is how many connections a second the load alone ends, and the client opens again; see Nemesis.ByLoad.
const (
	topologyFloor = 20
	topologyRate  = 12
	dialRate      = 10
)

// bounds checks what the round cost.
func (s *session) bounds(o *outcome, end worker.Answer) (found []ledger.Violation) {
	if end.Resources != nil {
		if s.first == nil {
			s.first = end.Resources
		}
		found = ledger.CheckFlat(*s.first, *end.Resources)
	}
	seconds := int(o.took / time.Second)
	limit := ledger.Traffic{Dials: o.nemesis.Dials, Topology: topologyFloor + topologyRate*seconds}
	if !o.nemesis.ByLoad {
		limit.Dials += dialRate * seconds
	}
	return append(found, ledger.CheckBounded(o.traffic, limit)...)
}
