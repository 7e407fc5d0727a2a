package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/late"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// run is a run of many rounds.
type run struct {
	plan   plan
	from   int           // the first round
	rounds int           // how many at most; 0: as many as begin in time
	lasts  time.Duration // no round begins after it
	strict bool          // end with the first round that breaks something
	late   bool          // look for late executions too, beside the first rounds
	self   string        // path of this program
	keep   string        // where the records of the rounds are left; empty: nowhere
	log    io.Writer     // a line for each round

	report *report
}

// all runs everything. Violations are in the report; an error is the harness's own.
func (r *run) all(ctx context.Context) error {
	began := time.Now()
	var probing sync.WaitGroup
	var probed []late.Result
	var probeErr error
	if r.late {
		// Ends with the probes, which ctx and their own patience bound; waited for below.
		probing.Go(func() { probed, probeErr = r.probe(ctx) })
	}
	err := r.play(ctx, began)
	probing.Wait()
	r.report.addLate(probed)
	r.report.finish(time.Since(began))
	return errors.Join(err, probeErr)
}

// probe looks for late executions on each engine in its turn.
func (r *run) probe(ctx context.Context) (results []late.Result, err error) {
	seen := map[string]bool{}
	for _, s := range r.plan.setups {
		if seen[s.engine.Name] {
			continue
		}
		seen[s.engine.Name] = true
		result, err := late.Probe(ctx, s.engine, r.self, lateFlag)
		if err != nil {
			return results, fmt.Errorf("looking for late executions: %w", err)
		}
		results = append(results, result)
	}
	return results, nil
}

// play runs all rounds.
func (r *run) play(ctx context.Context, began time.Time) error {
	for round := r.from; ; {
		if r.isOver(round, time.Since(began)) {
			return ctx.Err()
		}
		next, err := r.several(ctx, round, began)
		if err != nil {
			return err
		}
		round = next
	}
}

func (r *run) isOver(round int, elapsed time.Duration) bool {
	return r.rounds > 0 && round >= r.from+r.rounds || elapsed >= r.lasts || r.strict && len(r.report.Violations) > 0
}

// several runs rounds on one cluster, until it is another one's turn, and returns the round that comes next.
func (r *run) several(ctx context.Context, round int, began time.Time) (next int, err error) {
	s, err := openSession(ctx, r.plan.setup(round), r.plan.seed, r.self, r.keep)
	if err != nil {
		return round, fmt.Errorf("round %d: %w", round, err)
	}
	for stand := round / roundsPerStand; round/roundsPerStand == stand && !r.isOver(round, time.Since(began)); round++ {
		o, err := s.play(ctx, r.plan, round)
		if isStuck(err) {
			o.violations = append(o.violations, ledger.Violation{Check: "stuck", Text: err.Error()})
			r.tell(o)
			s.end()
			return round + 1, nil
		}
		if err != nil {
			s.end()
			return round, fmt.Errorf("round %d, %s, %s: %w", round, o.nemesis.Name, o.setup, err)
		}
		r.tell(o)
	}
	found, err := s.close(ctx)
	r.report.violate(outcome{round: round - 1, nemesis: r.plan.nemesis(round - 1), setup: s.setup}, found)
	if errors.Is(err, errStuck) {
		r.report.violate(outcome{round: round - 1, setup: s.setup}, []ledger.Violation{{Check: "stuck", Text: err.Error()}})
		return round, nil
	}
	return round, err
}

// tell adds a round to the report and prints its line.
func (r *run) tell(o outcome) {
	r.report.add(o)
	verdict := "ok"
	if len(o.violations) > 0 {
		verdict = fmt.Sprintf("%d VIOLATIONS, first: %s", len(o.violations), o.violations[0])
	}
	f := o.figures
	fmt.Fprintf(r.log, "round %d, %s (%s; %s): %d commands, %d unknown, %d not executed, %d failed, recovered in %v, took %v: %s\n",
		o.round, o.nemesis.Name, o.setup, o.note, f.Operations, f.Outcomes[ledger.Unknown], f.Outcomes[ledger.NotExecuted], f.Signs[ledger.Broken],
		recovery(f).Round(time.Millisecond), o.took.Round(100*time.Millisecond), verdict)
}
