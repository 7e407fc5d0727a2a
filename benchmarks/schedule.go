package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
)

// schedule runs the clients of every cell in turn, round by round: A B C A B C. What disturbs the machine for a while
// then disturbs all of them.
type schedule struct {
	opts  options
	cells []cell

	running *servers.Servers // nil before the first cell
	kind    servers.Kind     // of running
	samples []report.Sample
}

func newSchedule(opts options) *schedule {
	cells := cellsOf(fullRun)
	if opts.quick {
		cells = cellsOf(quickRun)
	}
	s := &schedule{opts: opts}
	for _, c := range cells {
		if opts.cells != nil && !opts.cells.MatchString(c.name) {
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
	return s
}

func (s *schedule) run(ctx context.Context) ([]report.Sample, error) {
	if len(s.cells) == 0 {
		return nil, errors.New("no cell and client match")
	}
	if s.opts.profile != "" && (len(s.cells) > 1 || len(s.cells[0].clients) > 1) {
		return nil, errors.New("-profile takes one cell and one client: narrow -cells and -clients down, for example to '^get64/c=64$' and '^keyslot$'")
	}
	defer s.stopServers()
	for _, c := range s.cells {
		if err := s.runCell(ctx, c); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return s.samples, nil
}

func (s *schedule) runCell(ctx context.Context, c cell) error {
	if err := s.startServers(ctx, c.servers); err != nil {
		return err
	}
	unsupported := map[string]bool{}
	for round := range s.opts.rounds {
		for _, name := range c.clients {
			if unsupported[name] {
				continue
			}
			spec := s.running.Reach(c.load)
			spec.Client, spec.WarmUp, spec.Measure, spec.Profile = name, s.opts.warmUp, s.opts.measure, s.opts.profile
			result, err := runChild(ctx, spec)
			if err != nil {
				return err
			}
			unsupported[name] = result.Unsupported != ""
			s.samples = append(s.samples, report.Sample{Cell: c.name, Client: name, Round: round, Result: result})
			fmt.Fprintf(os.Stderr, "%s round %d %s: %.0f ops/s\n", c.name, round+1, name, result.OpsPerSecond)
		}
	}
	return nil
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
