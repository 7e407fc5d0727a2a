package report_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
)

// rounds returns a sample for each value of ops/s, in rounds from 0; 0 is a round that failed.
func rounds(cell, client string, ops ...float64) []report.Sample {
	var samples []report.Sample
	for i, v := range ops {
		r := load.Result{OpsPerSecond: v, CPU: 1000 / max(v, 1), P50: 5, P99: 20, Allocs: 1.04, Conns: 3}
		if v == 0 {
			r = load.Result{Errors: 1, FirstError: "no route"}
		}
		samples = append(samples, report.Sample{Cell: cell, Client: client, Round: i, Result: r})
	}
	return samples
}

func rowOf(t *testing.T, rows []report.Row, client string) report.Row {
	t.Helper()
	for _, r := range rows {
		if r.Client == client {
			return r
		}
	}
	t.Fatalf("no row of %s", client)
	return report.Row{}
}

func TestRatiosArePairedByRound(t *testing.T) {
	// The machine was three times as fast in the last round: the ratio of medians would be 100/300.
	samples := append(rounds("get64/c=64", "keyslot", 100, 100, 600), rounds("get64/c=64", "rueidis", 50, 300, 300)...)
	rows := report.Rows(samples)
	ours := rowOf(t, rows, "keyslot")
	require.Equal(t, 100.0, ours.Median.OpsPerSecond)
	require.InDelta(t, 2, ours.Against["rueidis"].Ops, 1e-9)
	require.InDelta(t, 0.5, ours.Against["rueidis"].CPU, 1e-9)
	require.Empty(t, rowOf(t, rows, "rueidis").Against, "the baseline has no other to compare with")
}

func TestRoundsThatFailedCountNeitherInMediansNorInPairs(t *testing.T) {
	samples := append(rounds("get64/c=64", "keyslot", 100, 0, 300, 500), rounds("get64/c=64", "rueidis", 0, 10, 100, 250)...)
	ours := rowOf(t, report.Rows(samples), "keyslot")
	require.Equal(t, 3, ours.Rounds)
	require.Equal(t, 300.0, ours.Median.OpsPerSecond)
	require.InDelta(t, 2.5, ours.Against["rueidis"].Ops, 1e-9, "mean of 3 and 2, the rounds in which both ran")
	require.Equal(t, uint64(1), ours.Median.Errors)
	require.Equal(t, "no route", ours.Median.FirstError)
}

func verdictOf(t *testing.T, r report.Report, metric string) report.Verdict {
	t.Helper()
	for _, v := range r.Verdicts {
		if v.Metric == metric {
			return v
		}
	}
	t.Fatalf("no verdict on %s in %+v", metric, r.Verdicts)
	return report.Verdict{}
}

func TestTargetsAreMetMissedOrNotMeasured(t *testing.T) {
	samples := append(rounds("get64/c=64", "keyslot", 220), rounds("get64/c=64", "rueidis", 100)...)
	samples = append(samples, rounds("get64/c=64", "goredis", 100)...)
	samples = append(samples, rounds("get64/c=64", "goredis-auto", 0)...)
	r := report.New(report.Settings{}, samples)

	met := verdictOf(t, r, "ops/s x rueidis")
	require.True(t, met.Met)
	require.Equal(t, ">= 2.2", met.Bound)
	require.Equal(t, "2.2", met.Shown)
	require.True(t, verdictOf(t, r, "allocs/op").Met, "1.04 is 1 and something of the runtime's")
	require.False(t, verdictOf(t, r, "ops/s x goredis").Met, "2.2 is not 3.5")
	require.False(t, verdictOf(t, r, "CPU/op x rueidis").Met, "0.45 is not 0.42")
	require.True(t, verdictOf(t, r, "ops/s x goredis-auto").Missing, "it failed")
	for _, v := range r.Verdicts {
		require.NotContains(t, v.Metric, "delay20", "it took no part")
	}
}

// 219.6 of 100 is short of 2.2, which it would be with two digits.
func TestTargetsAreJudgedBeforeTheyAreRounded(t *testing.T) {
	reached := func(ops float64) report.Verdict {
		samples := append(rounds("get64/c=64", "keyslot", ops), rounds("get64/c=64", "rueidis", 100)...)
		return verdictOf(t, report.New(report.Settings{}, samples), "ops/s x rueidis")
	}
	short := reached(219.6)
	require.False(t, short.Met)
	require.Equal(t, "2.196", short.Shown, "2.2 beside a bound of 2.2 would seem to be met")
	require.InDelta(t, 2.196, short.Reached, 1e-9)
	require.True(t, reached(220.4).Met)
	require.Equal(t, "2.2", reached(220.4).Shown)

	for allocs, met := range map[float64]bool{1.049: true, 1.051: false} {
		samples := rounds("get64/c=64", "keyslot", 1)
		samples[0].Result.Allocs = allocs
		require.Equal(t, met, verdictOf(t, report.New(report.Settings{}, samples), "allocs/op").Met,
			"%g, of which 0.05 may be the runtime's", allocs)
	}
}

func TestNoTargetIsMetWhereOperationsFailed(t *testing.T) {
	samples := append(rounds("get64/c=64", "keyslot", 300, 300), rounds("get64/c=64", "rueidis", 100, 100)...)
	require.True(t, verdictOf(t, report.New(report.Settings{}, samples), "ops/s x rueidis").Met)
	samples[1].Result.Errors, samples[1].Result.FirstError = 1, "reset"
	r := report.New(report.Settings{}, samples)
	require.False(t, verdictOf(t, r, "ops/s x rueidis").Met)
	page, err := r.HTML()
	require.NoError(t, err)
	require.Contains(t, string(page), "1 errors: reset")
}

func TestErrorsOfTheWarmUpAreShown(t *testing.T) {
	samples := append(rounds("get64/c=64", "keyslot", 300, 300), rounds("get64/c=64", "rueidis", 100, 100)...)
	for i := range samples {
		samples[i].Result.WarmUpErrors, samples[i].Result.FirstError = 2, "reset"
	}
	r := report.New(report.Settings{}, samples)
	var out bytes.Buffer
	require.NoError(t, r.Table(&out))
	require.Regexp(t, `(?m)^rueidis .* 4 errors while warming up: reset$`, out.String())
	require.True(t, verdictOf(t, r, "ops/s x rueidis").Met, "what was measured has none")
	samples[3].Result.Errors = 1
	page, err := report.New(report.Settings{}, samples).HTML()
	require.NoError(t, err)
	require.Contains(t, string(page), "1 errors, 4 errors while warming up: reset")
}

// A client whose operations fail does fewer, so that ours would seem fast beside it.
func TestNoTargetIsMetBesideAClientWhoseOperationsFailed(t *testing.T) {
	samples := append(rounds("get64/c=64", "keyslot", 300, 300), rounds("get64/c=64", "rueidis", 100, 100)...)
	samples[2].Result.Errors, samples[2].Result.FirstError = 7, "reset"
	r := report.New(report.Settings{}, samples)
	v := verdictOf(t, r, "ops/s x rueidis")
	require.False(t, v.Met)
	require.True(t, v.Missing, "nor is it missed")
	require.Equal(t, "no verdict, rueidis: 7 errors", v.Said())
	require.True(t, verdictOf(t, r, "allocs/op").Met, "which compares with nobody")

	samples[0].Result.Errors = 1
	require.Equal(t, "missed, keyslot: 1 errors", verdictOf(t, report.New(report.Settings{}, samples), "ops/s x rueidis").Said(),
		"our own come first")
}

func TestARatioSaysHowManyRoundsItRestsOn(t *testing.T) {
	samples := append(rounds("get64/c=64", "keyslot", 300, 300, 300), rounds("get64/c=64", "rueidis", 1, 1, 100)...)
	for i := range 2 {
		samples[3+i].Result = load.Result{} // it hung, and did nothing at all
	}
	r := report.New(report.Settings{}, samples)
	require.Equal(t, "3 (1 of 3 rounds)", verdictOf(t, r, "ops/s x rueidis").Figure())
	var out bytes.Buffer
	require.NoError(t, r.Table(&out))
	require.Contains(t, out.String(), "3.00 (1 of 3 rounds)")
	require.Equal(t, "1", verdictOf(t, r, "allocs/op").Figure(), "all rounds have that")
}

// A cell without a target of its own is judged too, apart from those: else targets could be set where we are fast alone.
func TestACellWithoutATargetIsNotToBeBehind(t *testing.T) {
	var samples []report.Sample
	for cell, ops := range map[string]float64{"get64k/c=8": 90, "set64/c=1": 89, "pipe10k/c=1": 0, "set64/c=64": 160} {
		samples = append(append(samples, rounds(cell, "keyslot", ops)...), rounds(cell, "rueidis", 100)...)
	}
	r := report.New(report.Settings{}, samples)
	said := map[string]string{}
	for _, v := range r.NotBehind {
		said[v.Cell+" "+v.Metric+" "+v.Bound] = v.Said()
	}
	require.Equal(t, map[string]string{
		"get64k/c=8 ops/s x rueidis >= 0.9": "met", "get64k/c=8 CPU/op x rueidis <= 1.1": "missed", // 1/90 by 1/100 is 1.11
		"set64/c=1 ops/s x rueidis >= 0.9": "missed", "set64/c=1 CPU/op x rueidis <= 1.1": "missed",
		"pipe10k/c=1 ops/s x rueidis >= 0.9":  "missed, keyslot: 1 errors", // nothing was answered
		"pipe10k/c=1 CPU/op x rueidis <= 1.1": "missed, keyslot: 1 errors",
	}, said, "set64/c=64 has a target of its own")
	var out bytes.Buffer
	require.NoError(t, r.Table(&out))
	require.Contains(t, out.String(),
		"1 of 3 targets met (there are 124 in all); not behind rueidis: 0 of 3 cells")
	require.Regexp(t, `(?m)^keyslot +90 .* behind$`, out.String())
}

func TestAPercentileOfTooFewOperationsIsNoFigure(t *testing.T) {
	for ops, want := range map[float64]string{49: `5 +- +-`, 50: `5 +20 +-`, 499: `5 +20 +-`, 500: `5 +20 +30`} {
		samples := append(rounds("get64/c=64", "keyslot", 1000, ops), rounds("get64/c=64", "rueidis", 1000, ops)...)
		for i := range samples {
			samples[i].Result.P999 = 30
		}
		r := report.New(report.Settings{Measure: 2 * time.Second}, samples)
		var out bytes.Buffer
		require.NoError(t, r.Table(&out))
		require.Regexp(t, `(?m)^keyslot .* `+want+` `, out.String(), "%g operations a second for two seconds in one of the rounds",
			ops)
		require.Equal(t, ops < 50, verdictOf(t, r, "p99 x rueidis").Missing)
		require.False(t, ops < 50 && verdictOf(t, r, "p99 x rueidis").Met, "no figure is below no bound")
		require.Equal(t, 30.0, samples[0].Result.P999, "a sample stays as it was measured")
	}
}

func TestTableSaysWhatTheFiguresAre(t *testing.T) {
	samples := append(rounds("pipe100/c=8", "keyslot", 230), rounds("pipe100/c=8", "rueidis", 100)...)
	samples = append(samples, rounds("pipe100/c=8", "goredis", 0)...)
	samples = append(samples,
		report.Sample{Cell: "pipe100/c=8", Client: "radix", Result: load.Result{Unsupported: "one slot only"}})
	var out bytes.Buffer
	require.NoError(t, report.New(report.Settings{}, samples).Table(&out))
	for _, want := range []string{"pipe100/c=8", "2.30", "n/a: one slot only", "failed: no route", ">= 1.15", "missed"} {
		require.Contains(t, out.String(), want)
	}
}

// header returns what stands above the first cell of the table.
func header(t *testing.T, settings report.Settings, samples []report.Sample) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, report.New(settings, samples).Table(&out))
	text, _, _ := strings.Cut(out.String(), "\n\n")
	return text
}

func TestTableSaysWhatWasMeasuredWithWhat(t *testing.T) {
	samples := rounds("get64/c=8", "keyslot", 1, 0, 3)
	for i := range samples {
		samples[i].Server = "redis-server 7.0.15"
	}
	built := report.Settings{Builds: []report.Build{{Digest: "a", Commit: "c0ffee"}, {Digest: "a", Commit: "c0ffee (modified)"}}}
	text := header(t, built, samples)
	require.Contains(t, text, "3 rounds against redis-server 7.0.15, commit c0ffee and c0ffee (modified)\n")
	require.NotContains(t, text, "NOTE", "of the same code")

	fake := rounds("get64/50nodes/c=4", "keyslot", 1)
	fake[0].Server = "fake nodes"
	built.Builds[1] = report.Build{Digest: "b"}
	text = header(t, built, append(samples, fake...))
	require.Contains(t, text, "1 to 3 rounds against redis-server 7.0.15 and fake nodes, commit c0ffee\n")
	require.Contains(t, text, "NOTE: measured by 2 builds")

	text = header(t, report.Settings{}, rounds("get64/c=8", "keyslot", 1))
	require.Contains(t, text, "1 round against unknown servers, commit unknown")
	require.Contains(t, text, "unknown Go version")
	require.Contains(t, text, "clients of unknown versions")
}

// The program that prints a journal may be built otherwise than those that measured it.
func TestTableNamesTheGoVersionsAndClientsThatWereMeasured(t *testing.T) {
	text := header(t, report.Settings{Builds: []report.Build{
		{Digest: "a", Go: "go1.1", Peers: report.JoinPeers([]string{"a/client v1", "another v7"})},
		{Digest: "b", Go: "go1.2", Peers: report.JoinPeers([]string{"a/client v2", "another v7"})},
	}}, rounds("get64/c=8", "keyslot", 1))
	require.Contains(t, text, "go1.1 and go1.2 ")
	require.Contains(t, text, "\na/client v1, a/client v2, another v7\n")
	require.NotContains(t, text, runtime.Version())
}

func TestAContextForEachCallMayCostItsOwnAllocations(t *testing.T) {
	for cell, bound := range map[string]string{"get64/ctx=timeout/c=1": "<= 9", "get64/ctx=timeout/c=8": "<= 6",
		"get64/c=1": "<= 1"} {
		require.Equal(t, bound, verdictOf(t, report.New(report.Settings{}, rounds(cell, "keyslot", 1)), "allocs/op").Bound)
	}
}

func TestReportSurvivesJSON(t *testing.T) {
	before := report.New(
		report.Settings{CPUs: 2, Builds: []report.Build{{Digest: "a", Commit: "b", Go: "go1", Peers: "c v1"}}},
		append(rounds("set64/c=64", "keyslot", 2), rounds("set64/c=64", "rueidis", 1)...))
	text, err := json.Marshal(before)
	require.NoError(t, err)
	var after report.Report
	require.NoError(t, json.Unmarshal(text, &after))
	require.Equal(t, before, after)
}

func TestPageNeedsNoOtherFile(t *testing.T) {
	samples := append(rounds("get64/tls/c=1", "keyslot", 100), rounds("get64/tls/c=1", "rueidis<script>", 100)...)
	samples = append(samples, rounds("get64/tls/c=8", "keyslot", 0)...)
	page, err := report.New(report.Settings{}, samples).HTML()
	require.NoError(t, err)
	text := string(page)
	require.Equal(t, 3, strings.Count(text, "<svg "), "one setting has three charts")
	for _, unwanted := range []string{"http:", "https:", "src=", "<link", "<script", "url(", "NaN", "Inf"} {
		require.NotContains(t, text, unwanted)
	}
}
