package main

import (
	"fmt"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
)

// cell is one setting that clients are compared in. Its load has neither client nor addresses yet.
type cell struct {
	name    string
	servers servers.Kind
	load    load.Spec
	clients []string // who takes part by default
}

// The clients that take part by default: everybody where clients differ in kind, else the strongest few.
var (
	everybody = []string{"keyslot", "rueidis", "rueidis-delay20", "goredis", "goredis-auto", "radix", "glide"}
	strongest = []string{"keyslot", "rueidis", "rueidis-delay20", "goredis", "goredis-auto"}
	quickly   = []string{"keyslot", "rueidis", "goredis"}
)

// concurrency is how many goroutines the closed loops have.
func concurrency() []int { return []int{1, 8, 64, 512} }

// allCells returns the cells of the full run.
func allCells() []cell {
	var cells []cell
	for _, workload := range []string{"get64", "set64", "get4k", "mixed"} {
		cells = append(cells, closedLoop(workload, "", load.Spec{}, servers.Plain, everybody, concurrency()...)...)
	}
	for _, workload := range []string{"pipe100", "mget100"} {
		cells = append(cells, closedLoop(workload, "", load.Spec{}, servers.Plain, everybody, concurrency()...)...)
	}
	for _, kind := range []load.Context{load.Cancellable, load.Timeout} {
		cells = append(cells, closedLoop("get64", "ctx="+string(kind), load.Spec{Context: kind}, servers.Plain, strongest, concurrency()...)...)
	}
	return cells
}

// quickCells returns the cells of the spot check.
func quickCells() []cell {
	return closedLoop("get64", "", load.Spec{}, servers.Plain, quickly, concurrency()...)
}

// closedLoop returns a cell for each number of goroutines; variant, if any, stands in the middle of their names.
func closedLoop(workload, variant string, spec load.Spec, kind servers.Kind, clients []string, workers ...int) []cell {
	if variant != "" {
		variant += "/"
	}
	spec.Workload = workload
	var cells []cell
	for _, n := range workers {
		spec.Workers = n
		cells = append(cells, cell{fmt.Sprintf("%s/%sc=%d", workload, variant, n), kind, spec, clients})
	}
	return cells
}
