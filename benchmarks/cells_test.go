package main

import (
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
	"github.com/keyslot-go/keyslot/benchmarks/internal/journal"
	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
)

func TestEveryTargetIsMeasuredByTheFullRun(t *testing.T) {
	var samples []report.Sample
	for _, c := range cellsOf(fullRun) {
		for _, name := range c.clients {
			samples = append(samples,
				report.Sample{Cell: c.name, Client: name, Result: load.Result{OpsPerSecond: 1, CPU: 1, P50: 1, P99: 1, Allocs: 1}})
		}
	}
	r := report.New(report.Settings{}, samples)
	require.Len(t, r.Verdicts, report.TargetCount(), "a target names a cell or a client that does not run")

	judged := map[string]bool{}
	for _, v := range slices.Concat(r.Verdicts, r.NotBehind) {
		if v.Client == "keyslot" && v.Metric == "ops/s x rueidis" {
			require.False(t, judged[v.Cell], "%s is judged twice", v.Cell)
			judged[v.Cell] = true
		}
	}
	require.Len(t, judged, len(cellsOf(fullRun)), "each cell says what keyslot does beside rueidis")
}

func TestCellsHaveNamesOfTheirOwnAndKnownClients(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cellsOf(fullRun) {
		require.False(t, seen[c.name], c.name)
		seen[c.name] = true
		require.Contains(t, load.Workloads(), c.load.Workload)
		require.Contains(t, c.clients, "rueidis", "what the ratios refer to")
		for _, name := range c.clients {
			require.True(t, name == "glide" || slices.Contains(client.Names(), name), name) // glide is behind a build tag
		}
	}
}

func TestCellsDoWhatTheirNamesSay(t *testing.T) {
	for _, c := range cellsOf(fullRun) {
		var said load.Spec
		for _, part := range strings.FieldsFunc(c.name, func(r rune) bool { return r == '/' || r == ',' }) {
			name, value, _ := strings.Cut(part, "=")
			number, _ := strconv.Atoi(strings.TrimSuffix(value, "k"))
			switch name {
			case "c":
				said.Workers = number
			case "procs":
				said.Procs = number
			case "burners":
				said.Burners = number
			case "hogs":
				said.Hogs = number
			case "rate":
				said.Rate = 1000 * number
			case "ctx":
				said.Context = load.Context(value)
			}
		}
		said.Workload = c.load.Workload
		require.Equal(t, said, c.load, c.name)
		require.Equal(t, strings.Contains(c.name, "tls"), c.servers.TLS, c.name)
		require.Equal(t, strings.Contains(c.name, "slow"), c.servers.Slow, c.name)
		require.Equal(t, strings.Contains(c.name, "50nodes"), c.servers.FakeNodes == 50, c.name)
	}
}

// With 640,000 commands under way a run of a second is over when each goroutine has had a reply or two.
func TestNoCellHasMoreUnderWayThanARunCanAnswer(t *testing.T) {
	commands := map[string]int{"pipe100": 100, "pipe4k": 100, "pipe1k": 1000, "pipe10k": 10_000}
	for _, c := range cellsOf(fullRun) {
		require.LessOrEqual(t, commands[c.load.Workload]*c.load.Workers, 100_000, c.name)
	}
}

func TestTheReportFollowsTheMatrixNotTheJournal(t *testing.T) {
	var want []report.Sample
	for _, cell := range []string{"get64/c=1", "get64/c=64", "set64/c=1", "get64/50nodes/c=4", "gone/c=1", "gone/c=8"} {
		for round := range 2 {
			for _, name := range []string{"keyslot", "rueidis", "floor", "gone"} {
				want = append(want, report.Sample{Cell: cell, Client: name, Round: round})
			}
		}
	}
	kept := slices.Clone(want)
	for range 10 {
		rand.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
		require.Equal(t, want, inMatrixOrder(kept))
	}
}

func TestFloorTakesPartWhereItShowsTheMost(t *testing.T) {
	for _, c := range planned(t).cells {
		shown := regexp.MustCompile("^(get64|set64|pipe100|mget100)/c=").MatchString(c.name)
		require.Equal(t, shown, slices.Contains(c.clients, "floor"), c.name)
	}
}

// planned returns the schedule that the flags ask for, with an empty journal.
func planned(t *testing.T, flags ...string) *schedule {
	t.Helper()
	opts, err := parseFlags(flags)
	require.NoError(t, err)
	s, err := newSchedule(opts, journal.New(journal.Session{}), io.Discard)
	require.NoError(t, err)
	return s
}

func TestRunsTakeNoLongerThanPromised(t *testing.T) {
	runs, estimate := planned(t).estimate()
	require.LessOrEqual(t, estimate, 70*time.Minute, "5 minutes are left for glide, %d runs", runs)
	runs, estimate = planned(t, "-quick").estimate()
	require.Equal(t, 36, runs)
	require.LessOrEqual(t, estimate, 55*time.Second)
}

func TestFlagsNarrowTheRunDown(t *testing.T) {
	s := planned(t, "-cells", "^get64/tls/c=(1|8)$", "-clients", "^(keyslot|radix)$", "-rounds", "2")
	require.Len(t, s.cells, 2)
	require.Equal(t, "get64/tls/c=1", s.cells[0].name)
	require.Equal(t, []string{"keyslot", "radix"}, s.cells[0].clients, "radix is asked for, though not there by default")
	require.Empty(t, s.opts.out, "a spot check leaves the results of the full run alone")

	for _, c := range planned(t, "-addr", "somewhere:6379").cells {
		require.NotRegexp(t, regexp.MustCompile("tls|slow|50nodes"), c.name)
	}
	for _, wrong := range [][]string{{"-rounds", "-1"}, {"extra"}, {"-cells", "("}, {"-seconds", "-1"}} {
		_, err := parseFlags(wrong)
		require.Error(t, err, wrong)
	}
	_, err := newSchedule(options{profile: "cpu.pprof"}, journal.New(journal.Session{}), io.Discard)
	require.ErrorContains(t, err, "one cell")
	_, err = newSchedule(options{cells: regexp.MustCompile("nothing")}, journal.New(journal.Session{}), io.Discard)
	require.ErrorContains(t, err, "no cell")
}
