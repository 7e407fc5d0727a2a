package main

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// short is the quickstart in a second or two.
func short(target string) config {
	return config{
		Target: target, Prefix: "t:", Workers: 4, Keys: 32,
		Pace: time.Millisecond, Steady: 100 * time.Millisecond, Step: 250 * time.Millisecond,
	}
}

func connect(t *testing.T, cluster *keyslottest.Cluster) *keyslot.Client {
	client, err := keyslot.Open(t.Context(), cluster.Endpoint())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestSlotsMoveAndNoCommandFails(t *testing.T) {
	report, err := demonstrate(t.Context(), short(""), io.Discard)
	require.NoError(t, err)
	require.True(t, report.ok(), report.load.complaints)
	during, after := &report.load.tallies[1], &report.load.tallies[2]
	require.Positive(t, during.asked.Load(), "ASK followed")
	require.Positive(t, during.moved.Load()+after.moved.Load(), "MOVED followed")

	var out bytes.Buffer
	report.print(&out)
	require.Regexp(t, `during +[\d,]+ +0 +[\d,]+ +[\d,]+ +[\d.]+ ms`, out.String())
	// How many slots the client knows of so soon depends on its last refresh; the one it used has moved for certain.
	require.Regexp(t, `127.0.0.1:\d+ +0 +[1-9][\d,]*\n`, out.String(), "the new shard")
	require.Contains(t, out.String(), "OK: no command failed")
}

func TestGivenClusterIsLeftAsItWas(t *testing.T) {
	cluster := keyslottest.Run(t, keyslottest.Options{})
	client := connect(t, cluster)
	require.NoError(t, client.Set(t.Context(), "mine", "untouched"))

	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), short("redis://"+cluster.Endpoint()), &out, &errs), out.String())
	require.Contains(t, out.String(), "OK: no command failed")
	require.Empty(t, errs.String())

	left, err := client.Do(t.Context(), "KEYS", "*")
	require.NoError(t, err)
	keys, err := left.Strings()
	require.NoError(t, err)
	require.Equal(t, []string{"mine"}, keys)
}

func TestWrongValueFails(t *testing.T) {
	cluster := keyslottest.Run(t, keyslottest.Options{})
	client := connect(t, cluster)
	cfg := short(cluster.Endpoint())
	cfg.Workers, cfg.Keys = 1, 1

	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { // somebody else writes to the only key; ends with stop
		defer close(stopped)
		for ctx.Err() == nil {
			_ = client.Set(ctx, newWorker(newLoad(cfg, nil), 0).own[0], "stolen")
		}
	}()
	var out bytes.Buffer
	status := run(t.Context(), cfg, &out, io.Discard)
	stop()
	<-stopped
	require.Equal(t, 1, status)
	require.Contains(t, out.String(), `t:0:0 holds "stolen", but "`)
	require.Regexp(t, `FAILED: 0 commands failed, and [1-9][\d,]* of [\d,]+ values`, out.String())
}

func TestFailedCommandFails(t *testing.T) {
	cluster := keyslottest.Run(t, keyslottest.Options{})
	for _, node := range cluster.Nodes() {
		_, err := cluster.Inject(node.ID, keyslottest.Fault{Command: "INCR", After: 5, Times: 1, Reset: true})
		require.NoError(t, err)
	}
	var out bytes.Buffer
	require.Equal(t, 1, run(t.Context(), short(cluster.Endpoint()), &out, io.Discard))
	require.Contains(t, out.String(), "[outcome unknown]")
	// Counters and keys of which nobody can know are not held against the cluster.
	require.Regexp(t, `FAILED: [1-9]\d* commands failed, and 0 of [\d,]+ values`, out.String())
}

func TestInterruptEndsWithTheReport(t *testing.T) {
	cluster := keyslottest.Run(t, keyslottest.Options{})
	cfg := short(cluster.Endpoint())
	cfg.Steady = time.Hour
	ctx, interrupt := context.WithCancel(t.Context())
	go func() { // ends when the load has begun
		defer interrupt()
		assert.Eventually(t, func() bool { return cluster.Stats("").Commands >= 100 }, 10*time.Second, time.Millisecond)
	}()
	var out bytes.Buffer
	require.Zero(t, run(ctx, cfg, &out, io.Discard), out.String())
	require.Contains(t, out.String(), "Interrupted. OK: no command failed")
}

func TestUnusableEndpointIsOneLine(t *testing.T) {
	for _, target := range []string{"127.0.0.1:1", "http://127.0.0.1:6379", "nowhere.invalid", "redis://me:p@ss@host", ":::"} {
		var out, errs bytes.Buffer
		require.Equal(t, 1, run(t.Context(), short(target), &out, &errs))
		require.Empty(t, out.String())
		require.Regexp(t, `^keyslot: [^\n]+\n$`, errs.String())
	}
}

func TestAnInterruptWhileATeamIsHalfMovedEndsWell(t *testing.T) {
	cfg := short("")
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(cfg.Steady+cfg.Step+cfg.Step/2, interrupt)
	var out bytes.Buffer
	require.Zero(t, run(ctx, cfg, &out, io.Discard), out.String())
}
