package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
	"github.com/keyslot-go/keyslot/benchmarks/internal/journal"
	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
)

// schedule runs the clients of every cell in turn, round by round, and each round begins with the next of them: A B C, B C
// A. What disturbs the machine for a while then disturbs all of them, and nobody is always first, or always behind a pause.
type schedule struct {
	opts    options
	cells   []cell
	journal *journal.Journal
	log     io.Writer // progress, for people

	running *servers.Servers // nil before the first cell
	kind    servers.Kind     // of running
}

// newSchedule chooses the cells and clients that the options ask for.
func newSchedule(opts options, kept *journal.Journal, log io.Writer) (*schedule, error) {
	settings := fullRun
	if opts.quick {
		settings = quickRun
	}
	s := &schedule{opts: opts, journal: kept, log: log}
	for _, c := range cellsOf(settings) {
		if opts.cells != nil && !opts.cells.MatchString(c.name) {
			continue
		}
		if opts.addr != "" && c.servers != servers.Plain {
			continue
		}
		c.clients = slices.DeleteFunc(client.Names(), func(name string) bool {
			if opts.clients != nil {
				return !opts.clients.MatchString(name)
			}
			return !slices.Contains(c.clients, name)
		})
		if len(c.clients) > 0 {
			s.cells = append(s.cells, c)
		}
	}
	if len(s.cells) == 0 {
		return nil, errors.New("no cell and client match -cells and -clients")
	}
	if opts.profile != "" && (len(s.cells) > 1 || len(s.cells[0].clients) > 1) {
		return nil, errors.New("-profile takes one cell and one client, for example -cells '^get64/c=64$' -clients '^keyslot$'")
	}
	return s, nil
}

// run measures what the journal lacks.
func (s *schedule) run(ctx context.Context) error {
	runs, left := s.estimate()
	fmt.Fprintf(s.log, "%d runs to do, about %v\n", runs, left.Round(time.Second))
	defer s.stopServers()
	for _, c := range s.cells {
		for round := range s.opts.rounds {
			if s.journal.Has(c.name, round, c.clients) {
				continue
			}
			// The whole round runs again, since its clients are compared in pairs.
			if err := s.runRound(ctx, c, round); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// What a run and a start of servers take besides warming up and measuring.
const (
	runOverhead   = 250 * time.Millisecond
	startOverhead = 5 * time.Second
)

// estimate returns how many runs are to be done, and how long they will take.
func (s *schedule) estimate() (runs int, total time.Duration) {
	var last servers.Kind
	for _, c := range s.cells {
		for round := range s.opts.rounds {
			if s.journal.Has(c.name, round, c.clients) {
				continue
			}
			runs += len(c.clients)
			if c.servers != last {
				total += startOverhead
				last = c.servers
			}
		}
	}
	return runs, total + time.Duration(runs)*(s.opts.warmUp+s.opts.measure+runOverhead)
}

func (s *schedule) runRound(ctx context.Context, c cell, round int) error {
	if err := s.startServers(ctx, c.servers); err != nil {
		return err
	}
	for _, name := range inTurn(c.clients, round) {
		if s.journal.Unsupported(c.name, name) {
			continue
		}
		spec := s.running.Reach(c.load)
		spec.Client, spec.WarmUp, spec.Measure, spec.Profile = name, s.opts.warmUp, s.opts.measure, s.opts.profile
		result := s.measure(ctx, spec)
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(s.log, "%-32s round %d  %-16s %s\n", c.name, round+1, name, brief(result))
		sample := report.Sample{Cell: c.name, Client: name, Round: round, Server: s.running.Version(), Result: result}
		if err := s.journal.Add(sample); err != nil {
			return err
		}
	}
	return nil
}

// inTurn returns clients in the order of a round.
func inTurn(clients []string, round int) []string {
	first := round % len(clients)
	return slices.Concat(clients[first:], clients[:first])
}

// measure runs one child. A client that fails fails its cell, not the whole run.
func (s *schedule) measure(ctx context.Context, spec load.Spec) load.Result {
	result, err := runChild(ctx, spec)
	if err != nil {
		return load.Result{Errors: 1, FirstError: load.ErrorText(err)}
	}
	return result
}

func brief(r load.Result) string {
	switch {
	case r.Unsupported != "":
		return "n/a: " + r.Unsupported
	case r.Errors+r.WarmUpErrors > 0:
		return fmt.Sprintf("%.0f ops/s,%s", r.OpsPerSecond, report.Trouble(r))
	default:
		return fmt.Sprintf("%.0f ops/s, %.2f us/op", r.OpsPerSecond, r.CPU)
	}
}

// startServers runs a cluster of a kind, and ends that of another.
func (s *schedule) startServers(ctx context.Context, kind servers.Kind) (err error) {
	if s.running != nil && s.kind == kind {
		return nil
	}
	s.stopServers()
	s.running, err = servers.Start(ctx, kind, s.opts.addr)
	s.kind = kind
	return err
}

func (s *schedule) stopServers() {
	if s.running != nil {
		s.running.Stop()
		s.running = nil
	}
}
