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
	require.Equal(t, []string{"keyslot", "rueidis", "keyslot", "rueidis"}, order)

	require.Equal(t, samples, runOnce(t, opts), "all is there: the same command measures nothing anew")
	opts.rounds = 3
	require.Equal(t, samples, runOnce(t, opts)[:4], "only the third round is new")
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
	require.Contains(t, brief(result), "nobody")

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
