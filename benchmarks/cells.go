package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
)

// cell is one setting that clients are compared in.
type cell struct {
	name    string
	servers servers.Kind
	load    load.Spec // has neither client nor addresses yet
	clients []string  // who takes part by default
}

// The clients that take part by default: everybody where the workload is an ordinary one, else the strongest few.
var (
	everybody = []string{"keyslot", "rueidis", "rueidis-delay20", "goredis", "goredis-auto", "radix", "glide"}
	andFloor  = append([]string{"floor"}, everybody...) // where it shows the most: the headline cells, and the batches
	strongest = []string{"keyslot", "rueidis", "rueidis-delay20", "goredis", "goredis-auto"}
	laned     = []string{"keyslot", "rueidis", "keyslot-2conns", "keyslot-4conns"}
	quickly   = []string{"keyslot", "rueidis", "goredis"}
)

// setting is a row of the matrix: one cell for each number of goroutines.
type setting struct {
	workload string
	variant  string // stands in the middle of the cell's name; empty: the workload says all
	servers  servers.Kind
	load     load.Spec
	clients  []string
	workers  []int
}

var (
	fromOne = []int{1, 8, 64, 512}
	few     = []int{1, 8, 64}
	fewest  = []int{1, 8} // where 64 would have so much under way that each ends one or two operations
	busy    = []int{64, 512}
	extreme = []int{4, 512} // idle and saturated
)

// Those of one kind of servers stand together: starting them takes seconds.
var fullRun = []setting{
	{workload: "get64", servers: servers.Plain, clients: andFloor, workers: fromOne},
	{workload: "set64", servers: servers.Plain, clients: andFloor, workers: fromOne},
	{workload: "get4k", servers: servers.Plain, clients: everybody, workers: fromOne},
	{workload: "mixed", servers: servers.Plain, clients: everybody, workers: fromOne},
	{workload: "pipe100", servers: servers.Plain, clients: andFloor, workers: fromOne},
	{workload: "mget100", servers: servers.Plain, clients: andFloor, workers: fromOne},
	{workload: "get64k", servers: servers.Plain, clients: quickly, workers: few},
	{workload: "set64k", servers: servers.Plain, clients: quickly, workers: few},
	{workload: "pipe1k", servers: servers.Plain, clients: quickly, workers: few},
	{workload: "pipe10k", servers: servers.Plain, clients: quickly, workers: fewest},
	{workload: "pipe4k", servers: servers.Plain, clients: quickly, workers: few},
	{workload: "mget4k", servers: servers.Plain, clients: quickly, workers: few},
	{workload: "get64", variant: "ctx=cancel", servers: servers.Plain, clients: strongest, workers: fromOne,
		load: load.Spec{Context: load.Cancellable}},
	{workload: "get64", variant: "ctx=timeout", servers: servers.Plain, clients: strongest, workers: fromOne,
		load: load.Spec{Context: load.Timeout}},
	{workload: "get64", variant: "rate=10k", servers: servers.Plain, clients: everybody, workers: []int{64},
		load: load.Spec{Rate: 10_000}},
	{workload: "get64", variant: "rate=40k", servers: servers.Plain, clients: everybody, workers: []int{64},
		load: load.Spec{Rate: 40_000}},
	{workload: "get64", variant: "burners=4,procs=2", servers: servers.Plain, clients: strongest, workers: []int{8, 64},
		load: load.Spec{Burners: 4, Procs: 2}},
	{workload: "get64", variant: "hogs=4,procs=2", servers: servers.Plain, clients: strongest, workers: few,
		load: load.Spec{Hogs: 4, Procs: 2}},
	{workload: "get64", variant: "procs=8", servers: servers.Plain, clients: strongest, workers: busy, load: load.Spec{Procs: 8}},
	{workload: "get64", variant: "procs=16", servers: servers.Plain, clients: strongest, workers: busy, load: load.Spec{Procs: 16}},
	{workload: "get64", variant: "conns", servers: servers.Plain, clients: laned, workers: busy},
	{workload: "get64", variant: "tls", servers: servers.TLS, clients: strongest, workers: fromOne},
	{workload: "get64", variant: "slow", servers: servers.Slow, clients: strongest, workers: extreme},
	{workload: "get64", variant: "50nodes", servers: servers.Fifty, clients: strongest, workers: extreme},
	{workload: "get64", variant: "50nodes,slow", servers: servers.SlowFifty, clients: strongest, workers: extreme},
}

// The spot check takes less than a minute.
var quickRun = []setting{
	{workload: "get64", servers: servers.Plain, clients: quickly, workers: fromOne},
}

// cellsOf returns the cells of all settings.
func cellsOf(settings []setting) []cell {
	var cells []cell
	for _, s := range settings {
		for _, workers := range s.workers {
			spec := s.load
			spec.Workload, spec.Workers = s.workload, workers
			cells = append(cells, cell{s.name(workers), s.servers, spec, s.clients})
		}
	}
	return cells
}

func (s setting) name(workers int) string {
	if s.variant == "" {
		return fmt.Sprintf("%s/c=%d", s.workload, workers)
	}
	return fmt.Sprintf("%s/%s/c=%d", s.workload, s.variant, workers)
}

// inMatrixOrder returns samples as the full run takes them, cell by cell, however often it was interrupted and whatever
// was measured again. Those of cells and clients that are gone stand behind the others.
func inMatrixOrder(samples []report.Sample) []report.Sample {
	cells := places(cellsOf(fullRun), func(c cell) string { return c.name })
	clients := places(client.Names(), func(n string) string { return n })
	return slices.SortedStableFunc(slices.Values(samples), func(a, b report.Sample) int {
		return cmp.Or(
			cmp.Compare(cells(a.Cell), cells(b.Cell)), cmp.Compare(a.Cell, b.Cell), // the names keep unknown ones together
			cmp.Compare(a.Round, b.Round),
			cmp.Compare(clients(a.Client), clients(b.Client)),
		)
	})
}

// places returns a function that says where in all a name stands: behind all others if it does not.
func places[T any](all []T, name func(T) string) func(string) int {
	index := map[string]int{}
	for i, one := range all {
		index[name(one)] = i
	}
	return func(of string) int {
		if i, known := index[of]; known {
			return i
		}
		return math.MaxInt
	}
}
