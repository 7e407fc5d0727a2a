package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/examples/bench/internal/load"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
	"github.com/keyslot-go/keyslot/examples/bench/internal/watch"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestScaleOutUnderLoadWithoutAnError(t *testing.T) {
	var out, errs bytes.Buffer
	args := "-in-process -duration 4s -warmup 200ms -window 500ms -rate 200 -keys 500 -workers 4 -scale-out-at 300ms -json"
	require.Equal(t, exitOK, run(t.Context(), strings.Fields(args), &out, &errs), errs.String())
	var r record.Record
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))

	require.Len(t, r.Runs, 1)
	result := r.Runs[0]
	for _, e := range result.Errors {
		require.Equal(t, load.NeverSent, e.Text,
			"which is the machine's doing, where it stalls for more than the 20 ms that occupy four workers")
	}
	require.InDelta(t, 800, result.Reads.Count+result.Writes.Count, 80)
	require.InDelta(t, 0.8, float64(result.Reads.Count)/float64(result.Reads.Count+result.Writes.Count), 0.1)
	require.Len(t, result.Windows, 8)
	require.Positive(t, result.Usage.AllocsPerOp)

	first, last := result.Ownership[0], result.Ownership[len(result.Ownership)-1]
	require.Equal(t, "slots: shard 1 16384", watch.Brief(first))
	require.Equal(t, "slots: shard 1 8192, shard 2 8192", watch.Brief(last))
	require.Equal(t, "scale-out began", textOf(result.Events, record.Experiment, 0))
	require.Contains(t, textOf(result.Events, record.Experiment, -1), "scale-out ended")
	require.NotEmpty(t, textOf(result.Events, record.Redirect, 0))
	require.Contains(t, textOf(result.Events, record.Topology, 0), "shard 2 at 127.0.0.1")
	require.Equal(t, []string{"before", "scale-out", "after scale-out"}, phaseNames(result))
	shards := result.Windows[7].Shards
	require.Len(t, shards, 2)
	require.Positive(t, shards[1].Ops)
}

// textOf returns the text of an event of a kind, counted from the end where which is negative.
func textOf(events []record.Event, kind string, which int) string {
	var texts []string
	for _, e := range events {
		if e.Kind == kind {
			texts = append(texts, e.Text)
		}
	}
	if which < 0 {
		which += len(texts)
	}
	if which < 0 || which >= len(texts) {
		return ""
	}
	return texts[which]
}

func phaseNames(r record.Run) (names []string) {
	for _, p := range r.Phases {
		names = append(names, p.Name)
	}
	return names
}

// A cluster of somebody else's is left as it was; the benchmark is a program of its own here, and is interrupted.
func TestInterruptEndsCleanlyWithTheSummary(t *testing.T) {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	require.NoError(t, err)
	defer cluster.Close()
	client, err := keyslot.Open(t.Context(), cluster.Endpoint())
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.Set(t.Context(), "mine", "untouched"))

	program := exec.CommandContext(t.Context(), os.Args[0], "-endpoint", cluster.Endpoint(),
		"-duration", "1h", "-warmup", "100ms", "-window", "200ms", "-rate", "200", "-keys", "100", "-client", "goredis,rueidis")
	program.Env = append(os.Environ(), asProgram+"=1")
	var out bytes.Buffer
	program.Stdout = &out
	progress, err := program.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())

	awaitLine(t, progress, "errors 0")
	require.NoError(t, program.Process.Signal(os.Interrupt))
	_, _ = io.Copy(io.Discard, progress)
	require.NoError(t, program.Wait(), "exit status 0")
	require.Contains(t, out.String(), "goredis reuse")
	require.Contains(t, out.String(), "was interrupted after")
	require.NotContains(t, out.String(), "rueidis reuse", "it was not its turn yet")
	left, err := client.Do(t.Context(), "KEYS", "*")
	require.NoError(t, err)
	keys, err := left.Strings()
	require.NoError(t, err)
	require.Equal(t, []string{"mine"}, keys)
}

// A second interrupt waits for nothing; servers and their files go all the same.
func TestASecondInterruptLeavesNoFiles(t *testing.T) {
	program := exec.CommandContext(t.Context(), os.Args[0], "-local", "-duration", "1h", "-warmup", "100ms", "-window", "200ms",
		"-rate", "200", "-keys", "100")
	temporary := t.TempDir()
	program.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+temporary)
	progress, err := program.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	awaitLine(t, progress, "errors 0")
	require.NoError(t, program.Process.Signal(os.Interrupt))
	require.NoError(t, program.Process.Signal(syscall.SIGTERM))
	_, _ = io.Copy(io.Discard, progress)
	var ended *exec.ExitError
	require.ErrorAs(t, program.Wait(), &ended)
	require.Equal(t, exitKilled, ended.ExitCode())
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left)
}

// patience is how long a line is waited for. A cluster of processes may have to start before it, beside other tests.
const patience = time.Minute

// awaitLine reads until a line holds text.
func awaitLine(t *testing.T, r io.Reader, text string) {
	t.Helper()
	var seen strings.Builder // the goroutine's until it has ended
	ended := make(chan error, 1)
	go func() { // ends with the line, or with what r reads from: the context of the test ends that
		var err error
		for one := make([]byte, 1); err == nil && !strings.Contains(seen.String(), text); {
			if _, err = r.Read(one); err == nil {
				seen.Write(one)
			}
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		require.NoError(t, err, seen.String())
	case <-time.After(patience):
		t.Fatalf("no line holds %q within %v", text, patience)
	}
}

func TestWithoutAClusterNothingIsMeasured(t *testing.T) {
	var out, errs bytes.Buffer
	args := "-endpoint 127.0.0.1:1 -duration 1s"
	require.Equal(t, exitFailed, run(t.Context(), strings.Fields(args), &out, &errs))
	require.Contains(t, errs.String(), "refused")
	require.Empty(t, out.String())
}
