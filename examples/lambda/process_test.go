//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// These tests run the program that would be deployed, in a process of its own. What freezes an execution environment is
// played by SIGSTOP: the process stands still, while its clocks and its sockets go on.

// cache is a cluster of three nodes and what the function does to it and suffers from it.
type cache struct {
	env    map[string]string
	dials  func() int         // connections that the function has opened
	hangUp func(t *testing.T) // ends the function's connections, as a server does with idle ones
	fronts *fronts            // before the servers; nil where there are none
	first  string             // a key of the node that the endpoint leads to
	other  string             // a key of another node
}

// dialled requires that the function has dialled so often. After a minute the map is to be confirmed as well: by one node,
// which may not have been dialled yet, or, where the connection to that one turns out to be dead, by each of the three.
func (c cache) dialled(t *testing.T, times int) {
	t.Helper()
	if frozen(t) < time.Minute {
		require.Equal(t, times, c.dials())
		return
	}
	const each = 2 + 3 // two before the freeze
	require.GreaterOrEqual(t, c.dials(), times)
	require.LessOrEqual(t, c.dials(), each)
}

// keyOf returns the first key whose slot is in a range.
func keyOf(from, to uint16) string {
	for i := 0; ; i++ {
		if key := fmt.Sprint("key-", i); keyslot.Slot(key) >= from && keyslot.Slot(key) <= to {
			return key
		}
	}
}

func inProcess(t *testing.T) cache {
	cluster := keyslottest.Run(t, keyslottest.Options{})
	c := cache{env: reach(cluster.Endpoint()), dials: func() int { return int(cluster.Stats("").Accepted) }}
	for _, shard := range cluster.Shards() {
		key := keyOf(shard.Slots[0].First, shard.Slots[0].Last)
		if shard.Primary.Addr == cluster.Endpoint() {
			c.first = key
		} else {
			c.other = key
		}
	}
	c.hangUp = func(t *testing.T) {
		for _, node := range cluster.Nodes() {
			require.NoError(t, cluster.Stop(node.ID))
			require.NoError(t, cluster.Restart(node.ID))
		}
	}
	return c
}

func onServers(opts realcluster.Options) func(t *testing.T) cache {
	return func(t *testing.T) cache {
		f := &fronts{}
		t.Cleanup(f.stop)
		opts.Front = f.before
		cluster := realcluster.Start(t, opts)
		c := cache{
			env: reach(cluster.Addrs()[0]), first: keyOf(0, 5000), other: keyOf(11000, 16383), fronts: f,
			dials: func() int { dials, _, _ := f.count(); return dials },
		}
		c.hangUp = func(t *testing.T) {
			for _, node := range cluster.Nodes() {
				_, err := cluster.Do(t.Context(), node, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
				require.NoError(t, err)
			}
		}
		if authority, err := cluster.Authority(); err == nil && authority != nil {
			file := filepath.Join(t.TempDir(), "ca.pem")
			require.NoError(t, os.WriteFile(file, authority, 0o600))
			c.env["CACHE_TLS"], c.env["SSL_CERT_FILE"] = "true", file
		}
		return c
	}
}

// process is the function's program, running.
type process struct {
	cmd     *exec.Cmd
	service *lambdaService
	log     bytes.Buffer // read once it has ended
}

// build compiles the program as README.md says, for this machine.
func build(t *testing.T) (program string) {
	program = filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-tags", "lambda.norpc", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

func start(t *testing.T, program string, c cache, timeout time.Duration) *process {
	p := &process{service: startService(t, timeout), cmd: exec.CommandContext(context.Background(), program)}
	p.cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + p.service.address(), "RESERVED_CONCURRENCY=100"}
	for name, value := range c.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stderr = &p.log
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
		if t.Failed() {
			t.Log(p.log.String())
		}
	})
	p.service.ready(t)
	return p
}

// freeze stops the process for d, does what befalls it meanwhile, and hands it the next event while it still stands
// still, as Lambda thaws an environment because there is one.
func (p *process) freeze(t *testing.T, d time.Duration, meanwhile func(), next request) reading {
	p.service.ready(t)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	began := time.Now()
	meanwhile()
	time.Sleep(time.Until(began.Add(d))) // what is waited for is that nothing happens
	p.service.hand(next)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGCONT))
	return p.service.reading(t)
}

// frozen is for how long a function stands still; make chaos has a minute.
func frozen(t *testing.T) time.Duration {
	d, err := time.ParseDuration(os.Getenv("KEYSLOT_FREEZE"))
	if err != nil {
		require.Empty(t, os.Getenv("KEYSLOT_FREEZE"))
		return 5 * time.Second
	}
	return d
}

// TestTheFunctionFromColdStartToItsEnd plays the life of an execution environment.
func TestTheFunctionFromColdStartToItsEnd(t *testing.T) {
	program := build(t)
	for name, begin := range map[string]func(t *testing.T) cache{
		"in process":  inProcess,
		"valkey, TLS": onServers(realcluster.Options{Engine: "valkey", TLS: true}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t)
			p := start(t, program, c, 20*time.Second)
			require.Equal(t, []string{"GoLangEnableSIGTERM"}, <-p.service.signals, "an extension, for no events")
			require.Zero(t, c.dials(), "initialized ahead of use it connects to nothing")

			require.Equal(t, reading{c.first, "v", 1}, p.service.invoke(t, request{c.first, "v"}))
			require.Equal(t, 1, c.dials(), "cold start: one connection tells the map and serves")
			require.Equal(t, reading{c.other, "v", 1}, p.service.invoke(t, request{c.other, "v"}))
			require.Equal(t, 2, c.dials())

			for i := range 1000 {
				require.Equal(t, reading{c.first, "v", int64(i + 2)}, p.service.invoke(t, request{Key: c.first}))
			}
			require.Equal(t, 2, c.dials(), "warm invocations use what is there")
			p.restsBetweenInvocations(t)

			require.Equal(t, reading{c.first, "w", 1002}, p.freeze(t, frozen(t), func() { c.hangUp(t) }, request{c.first, "w"}))
			c.dialled(t, 3)
			require.Equal(t, reading{c.other, "v", 2}, p.service.invoke(t, request{Key: c.other}))
			c.dialled(t, 4)
			if c.fronts != nil {
				require.Equal(t, reading{c.first, "x", 1003}, p.freeze(t, 1500*time.Millisecond, c.fronts.forget, request{c.first, "x"}))
				require.Equal(t, reading{c.other, "v", 3}, p.service.invoke(t, request{Key: c.other}))
			}
			p.endsInOrder(t, c)
		})
	}
}

// endsInOrder sends SIGTERM and sees that the process ends by itself, in time, without a reset.
func (p *process) endsInOrder(t *testing.T, c cache) {
	p.service.ready(t)
	began := time.Now()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Wait(), "exit status 0")
	require.Less(t, time.Since(began), 500*time.Millisecond+loaded)
	require.Contains(t, p.log.String(), "100 environments x 1 connection to each node = 100 of 65000: fits")
	if c.fronts != nil {
		gone := []int{2}
		if frozen(t) >= time.Minute { // see dialled
			gone = []int{2, 3}
		}
		require.Contains(t, gone, c.fronts.waitForEnds(t), "only those that led nowhere were given up by a reset")
	}
}

// loaded is by how much a busy machine may be late.
const loaded = 2 * time.Second

// restsBetweenInvocations sees that the process comes to do nothing, for a second: none of its threads runs. A busy
// machine, and what the runtime has left to do, may take it a while.
func (p *process) restsBetweenInvocations(t *testing.T) {
	p.service.ready(t)
	if p.switches() == 0 {
		t.Log("skipped: this system does not tell how often threads run")
		return
	}
	for range 10 {
		before := p.switches()
		time.Sleep(time.Second) // what is waited for is that nothing happens
		if p.switches() == before {
			return
		}
	}
	t.Fatal("in every second a timer fires, or a goroutine runs")
}

// switches is how often threads of the process have begun to run; 0 where the system does not tell.
func (p *process) switches() (n int) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.cmd.Process.Pid))
	for _, file := range threads {
		status, _ := os.ReadFile(file)
		for line := range strings.Lines(string(status)) {
			var more int
			if name, value, ok := strings.Cut(line, ":"); ok && strings.HasSuffix(name, "ctxt_switches") {
				_, _ = fmt.Sscan(value, &more)
				n += more
			}
		}
	}
	return n
}
