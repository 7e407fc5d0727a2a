package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/journal"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
)

// briefly returns the options of a run of a second, on fake nodes behind the proxy.
func briefly(t *testing.T) options {
	return options{
		cells: regexp.MustCompile(`^get64/50nodes,slow/c=4$`), clients: regexp.MustCompile(`^(keyslot|rueidis)$`),
		rounds: 2, measure: 200 * time.Millisecond, out: filepath.Join(t.TempDir(), "full.jsonl"),
	}
}

func runOnce(t *testing.T, opts options) []report.Sample {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector each child would stay for a second
	kept, err := journal.Open(opts.out, journal.Session{Measure: opts.measure})
	require.NoError(t, err)
	defer kept.Close()
	s, err := newSchedule(opts, kept, io.Discard)
	require.NoError(t, err)
	require.NoError(t, s.run(t.Context()))
	return kept.Samples()
}

func TestClientsTakeTurnsInProcessesOfTheirOwn(t *testing.T) {
	opts := briefly(t)
	samples := runOnce(t, opts)
	var order []string
	for _, s := range samples {
		order = append(order, s.Client)
		require.Zero(t, s.Result.Errors, s.Result.FirstError)
		require.Positive(t, s.Result.OpsPerSecond)
		require.Positive(t, s.Result.CPU)
	}
	require.Equal(t, []string{"keyslot", "rueidis", "rueidis", "keyslot"}, order, "nobody is first in each round")

	require.Equal(t, samples, runOnce(t, opts), "all is there: the same command measures nothing anew")
	opts.rounds = 3
	require.Equal(t, samples, runOnce(t, opts)[:4], "only the third round is new")
}

func TestEachClientBeginsARound(t *testing.T) {
	clients := []string{"a", "b", "c"}
	for round, want := range [][]string{{"a", "b", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"a", "b", "c"}} {
		require.Equal(t, want, inTurn(clients, round))
	}
	require.Equal(t, []string{"a", "b", "c"}, clients, "as they were")
}

// The rounds of a journal from before may have been measured in another order: they are kept, and those it lacks are added.
func TestAJournalOfAnotherOrderIsContinued(t *testing.T) {
	opts := briefly(t)
	kept, err := journal.Open(opts.out, journal.Session{Measure: opts.measure})
	require.NoError(t, err)
	defer kept.Close()
	cell := "get64/50nodes,slow/c=4"
	for _, one := range []report.Sample{{Cell: cell, Client: "keyslot", Round: 1}, {Cell: cell, Client: "rueidis", Round: 1},
		{Cell: cell, Client: "keyslot", Round: 0}} { // that one was interrupted
		require.NoError(t, kept.Add(one))
	}
	s, err := newSchedule(opts, kept, io.Discard)
	require.NoError(t, err)
	runs, _ := s.estimate()
	require.Equal(t, 2, runs, "the round that was interrupted, as a whole")
}

func TestAProfileOfTheClientIsWritten(t *testing.T) {
	opts := briefly(t)
	opts.clients, opts.rounds, opts.profile = regexp.MustCompile("^keyslot$"), 1, filepath.Join(t.TempDir(), "cpu.pprof")
	runOnce(t, opts)
	written, err := os.Stat(opts.profile)
	require.NoError(t, err)
	require.NotZero(t, written.Size())
}

func TestAClientThatFailsDoesNotEndTheRun(t *testing.T) {
	s, err := newSchedule(briefly(t), journal.New(journal.Session{}), io.Discard)
	require.NoError(t, err)
	spec := s.cells[0].load
	spec.Client = "nobody"
	result := s.measure(t.Context(), spec)
	require.Equal(t, uint64(1), result.Errors)
	require.Contains(t, result.FirstError, `no client "nobody"`)
	require.Contains(t, brief(result), "0 ops/s, 1 errors: nobody")

	spec.Workload = strings.Repeat("nothing", 20_000) // as long as what a child prints that panics
	result = s.measure(t.Context(), spec)
	require.Less(t, len(result.FirstError), 5_000)
	require.Contains(t, result.FirstError, `nobody: exit status 1: no workload "nothing`, "its beginning is kept")
}

func TestAnInterruptEndsTheRun(t *testing.T) {
	s, err := newSchedule(briefly(t), journal.New(journal.Session{}), io.Discard)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.run(ctx), context.Canceled)
	require.Empty(t, s.journal.Samples())
}
