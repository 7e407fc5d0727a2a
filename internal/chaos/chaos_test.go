package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/chaos/nemesis"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// The test's program is the worker too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && other(os.Args[1]) != nil {
		os.Exit(command(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// A slice of what `make chaos` runs: some of what moves slots, strikes nodes, disturbs links and cancels.
func TestKeyslotStandsAShortRun(t *testing.T) {
	engine := realcluster.Require(t, realcluster.Names()[0])
	self, err := os.Executable()
	require.NoError(t, err)
	p := plan{seed: 7, setups: []setup{{engine, 3, false}}}
	for _, name := range []string{"reshard", "failover", "rst", "cancel-storm"} {
		p.nemeses = append(p.nemeses, named(t, name))
	}
	r := run{plan: p, rounds: len(p.nemeses), lasts: time.Minute, self: self, log: t.Output(), report: newReport(p.seed)}
	require.NoError(t, r.all(t.Context()))

	require.Empty(t, r.report.others())
	require.Equal(t, len(p.nemeses), r.report.Rounds)
	require.Positive(t, r.report.Nemeses["reshard"].TryAgain)
}

func named(t *testing.T, name string) nemesis.Nemesis {
	t.Helper()
	all := nemesis.All()
	i := slices.IndexFunc(all, func(n nemesis.Nemesis) bool { return n.Name == name })
	require.NotEqual(t, -1, i, "there is no nemesis %q", name)
	return all[i]
}

func TestTheSeedAloneDecidesWhatARoundIs(t *testing.T) {
	setups := []setup{{resp: 2}, {resp: 3}, {resp: 2, tls: true}, {resp: 3, tls: true}}
	some := plan{seed: 1, setups: setups, nemeses: nemesis.All()}
	same, other := some, some
	other.seed = 2
	names := func(p plan) (names []string) {
		for round := range 2 * len(p.nemeses) {
			names = append(names, p.nemesis(round).Name+" "+p.setup(round).String())
		}
		return names
	}
	require.Equal(t, names(some), names(same))
	require.NotEqual(t, names(some), names(other))
	require.Equal(t, some.rand(3).Uint64(), same.rand(3).Uint64())
	require.NotEqual(t, some.rand(3).Uint64(), some.rand(4).Uint64())

	// Each has its turn before any comes again.
	seen := map[string]int{}
	for round := range some.nemeses {
		seen[some.nemesis(round).Name]++
	}
	require.Len(t, seen, len(some.nemeses))
}

func TestEveryMutantFitsTheSource(t *testing.T) {
	root, err := realcluster.RepositoryRoot()
	require.NoError(t, err)
	for _, m := range mutants {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(source), m.old), "what is replaced in %s by the one that %s", m.file, m.name)
		for name := range strings.SplitSeq(m.only, ",") {
			named(t, name)
		}
		require.NotEmpty(t, m.breaks, m.name)
	}
}

func TestAMutantIsCaughtByWhatItBreaks(t *testing.T) {
	m := mutant{breaks: []string{"duplicate", "sequence"}}
	_, err := m.match(report{Rounds: 7})
	require.EqualError(t, err, "7 rounds have found nothing")
	found := report{Violations: []broken{{Check: "flat", Text: "100 goroutines"}}}
	_, err = m.match(found)
	require.ErrorContains(t, err, "100 goroutines")
	found.Violations = append(found.Violations, broken{Check: "sequence"}, broken{Check: "duplicate"})
	first, err := m.match(found)
	require.NoError(t, err)
	require.Equal(t, "sequence", first.Check)
}

func TestANemesisThatCausesNothingFailsTheRun(t *testing.T) {
	r := newReport(1)
	reshard := named(t, "reshard")
	r.add(outcome{nemesis: reshard, figures: ledger.Figures{Signs: ledger.Signs{"ASK": 3, "MOVED": 1}}})
	r.add(outcome{nemesis: reshard, round: 1, figures: ledger.Figures{Signs: ledger.Signs{"ASK": 2}}})
	r.add(outcome{nemesis: named(t, "rst"), round: 2, figures: ledger.Figures{Signs: ledger.Signs{"dials": 3}}})
	r.finish(time.Second)
	require.True(t, r.OK)
	require.Equal(t, []string{
		"reshard has caused no TRYAGAIN in 2 rounds, so they prove nothing", "rst has caused no broken in 1 rounds, so they prove nothing",
	}, r.Unproven)

	r.add(outcome{nemesis: reshard, round: 3, figures: ledger.Figures{Signs: ledger.Signs{"ASK": 0}}})
	r.finish(time.Second)
	require.False(t, r.OK)
	require.Len(t, r.Violations, 1)
	require.Equal(t, "reshard has caused no TRYAGAIN in 3 rounds, so they prove nothing", r.Violations[0].Text)

	var line, table bytes.Buffer
	require.NoError(t, r.line(&line))
	require.Equal(t, 1, strings.Count(line.String(), "\n"))
	var told report
	require.NoError(t, json.Unmarshal(line.Bytes(), &told))
	require.Equal(t, 5, told.Nemeses["reshard"].Ask)
	require.Equal(t, 4, told.Total.Rounds)
	r.table(&table)
	require.Regexp(t, `(?m)^ *reshard +3 +0 +5 +0 +1 `, table.String())
}
