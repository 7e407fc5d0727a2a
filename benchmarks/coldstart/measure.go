package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/benchmarks/coldstart/first"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

const (
	// startTimeout and runTimeout bound a cluster's start and one run of a program.
	startTimeout = time.Minute
	runTimeout   = 20 * time.Second
	// value is what is read.
	value = "value"
)

// program is one that connects with one client.
type program struct {
	client string
	path   string
	size   int64 // bytes, without symbols
}

// clients are those that are compared, in the order in which they take turns.
var clients = []string{"keyslot", "rueidis", "goredis"}

// buildAll builds a program for each client, as one is built for a function: static, without symbols.
func buildAll(ctx context.Context) (programs []program, remove func(), err error) {
	dir, err := os.MkdirTemp("", "coldstart-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // what is left in the system's temporary directory harms nothing
	for _, name := range clients {
		p := program{client: name, path: filepath.Join(dir, name)}
		cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", p.path,
			"github.com/keyslot-go/keyslot/benchmarks/coldstart/with/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			remove()
			return nil, nil, fmt.Errorf("building %s: %w: %s", name, err, bytes.TrimSpace(out))
		}
		info, err := os.Stat(p.path)
		if err != nil {
			remove()
			return nil, nil, err
		}
		p.size = info.Size()
		programs = append(programs, p)
	}
	return programs, remove, nil
}

// run is one run of a program.
type run struct {
	first.Result
	dials int // connections that the servers have accepted
}

// measured is what all runs of a program have come to.
type measured struct {
	program
	median run
}

// measure runs all programs by turns on a cluster of their own.
func (s setup) measure(ctx context.Context, engine realcluster.Engine, programs []program, rounds int) ([]measured, error) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cluster, err := realcluster.Run(starting, engine, realcluster.Options{Primaries: s.shards, Replicas: 1, TLS: s.tls})
	if err != nil {
		return nil, err
	}
	defer cluster.Stop()
	order, err := s.order(starting, cluster)
	if err != nil {
		return nil, err
	}
	runs := make([][]run, len(programs))
	for range rounds {
		for i, p := range programs {
			r, err := p.run(ctx, cluster, order)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.client, err)
			}
			runs[i] = append(runs[i], r)
		}
	}
	all := make([]measured, len(programs))
	for i, p := range programs {
		all[i] = measured{p, median(runs[i])}
	}
	return all, nil
}

// order says what to connect to and what to read: with several shards, a key that is not the endpoint's, as most are not.
func (s setup) order(ctx context.Context, cluster *realcluster.Cluster) (first.Order, error) {
	authority, err := cluster.Authority()
	if err != nil {
		return first.Order{}, err
	}
	order := first.Order{Addr: cluster.Node(0).Addr(), Key: "foo", CA: string(authority)} // slot 12182, of the last shard
	_, err = cluster.Do(ctx, cluster.Node(s.shards-1), "SET", order.Key, value)
	return order, err
}

func (p program) run(ctx context.Context, cluster *realcluster.Cluster, order first.Order) (run, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	before, err := accepted(ctx, cluster)
	if err != nil {
		return run{}, err
	}
	in, err := json.Marshal(order)
	if err != nil {
		return run{}, err
	}
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, p.path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problems
	if err := cmd.Run(); err != nil {
		return run{}, fmt.Errorf("%w: %s", err, bytes.TrimSpace(problems.Bytes()))
	}
	var r run
	if err := json.Unmarshal(out.Bytes(), &r.Result); err != nil {
		return run{}, err
	}
	after, err := accepted(ctx, cluster)
	r.dials = after - before - len(cluster.Nodes()) // each question of ours is a connection to each node
	return r, err
}

var received = regexp.MustCompile(`total_connections_received:(\d+)`)

// accepted returns how many connections all nodes have taken, this question's included.
func accepted(ctx context.Context, cluster *realcluster.Cluster) (sum int, err error) {
	for _, n := range cluster.Nodes() {
		info, err := cluster.Do(ctx, n, "INFO", "stats")
		if err != nil {
			return 0, err
		}
		found := received.FindStringSubmatch(info)
		if found == nil {
			return 0, fmt.Errorf("%s does not count its connections", n)
		}
		count, err := strconv.Atoi(found[1])
		if err != nil {
			return 0, err
		}
		sum += count
	}
	return sum, nil
}

// median returns the median of each figure.
func median(runs []run) run {
	return run{
		Result: first.Result{
			FirstReply: middle(runs, func(r run) time.Duration { return r.FirstReply }),
			Handshakes: middle(runs, func(r run) int { return r.Handshakes }),
			Goroutines: middle(runs, func(r run) int { return r.Goroutines }),
		},
		dials: middle(runs, func(r run) int { return r.dials }),
	}
}

func middle[T int | time.Duration](runs []run, of func(run) T) T {
	values := make([]T, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
