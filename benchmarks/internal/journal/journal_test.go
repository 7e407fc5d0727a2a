package journal_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/journal"
	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
)

var session = journal.Session{CPUs: 2, Measure: time.Second,
	Build: report.Build{Digest: "one", Commit: "c0ffee", Go: "go1", Peers: "a/client v1"}}

// rebuilt returns the session of another build.
func rebuilt() journal.Session {
	s := session
	s.Build = report.Build{Digest: "two"}
	return s
}

func open(t *testing.T, path string, s journal.Session) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, s)
	require.NoError(t, err)
	t.Cleanup(func() { j.Close() })
	return j
}

func sample(client string, round int, ops float64) report.Sample {
	return report.Sample{Cell: "get64/c=1", Client: client, Round: round, Result: load.Result{OpsPerSecond: ops}}
}

func TestAnInterruptedRunGoesOnWhereItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "full.jsonl")
	both := []string{"keyslot", "rueidis"}
	first := open(t, path, session)
	require.NoError(t, first.Add(sample("keyslot", 0, 10)))
	require.NoError(t, first.Add(sample("rueidis", 0, 20)))
	require.NoError(t, first.Add(sample("keyslot", 1, 30)))
	require.NoError(t, first.Close())

	second := open(t, path, session)
	require.True(t, second.Has("get64/c=1", 0, both))
	require.False(t, second.Has("get64/c=1", 1, both), "rueidis has not run")
	require.False(t, second.Has("get64/c=8", 0, both))
	require.NoError(t, second.Add(sample("keyslot", 1, 40)))
	require.NoError(t, second.Add(sample("rueidis", 1, 50)))
	require.Equal(t,
		[]report.Sample{sample("keyslot", 0, 10), sample("rueidis", 0, 20), sample("keyslot", 1, 40), sample("rueidis", 1, 50)},
		second.Samples(), "the newer sample counts")
}

func TestALineThatAKilledRunLeftUnfinishedIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.jsonl")
	first := open(t, path, session)
	require.NoError(t, first.Add(sample("keyslot", 0, 10)))
	require.NoError(t, first.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(text, `{"sample":{"cell":"get6`...), 0o600))

	second := open(t, path, rebuilt())
	require.NoError(t, second.Add(sample("keyslot", 1, 20)))
	require.NoError(t, second.Close())
	third := open(t, path, session)
	require.Equal(t, []report.Sample{sample("keyslot", 0, 10), sample("keyslot", 1, 20)}, third.Samples())
	require.Equal(t, []report.Build{session.Build, rebuilt().Build}, third.Builds(), "the line after it is read")
}

func TestALongLineHidesNoneBehindIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.jsonl")
	first := open(t, path, session)
	long := sample("keyslot", 0, 10)
	long.Result.FirstError = strings.Repeat("x", 1<<20)
	require.NoError(t, first.Add(long))
	require.NoError(t, first.Add(sample("rueidis", 0, 20)))
	require.NoError(t, first.Close())
	require.Equal(t, []report.Sample{long, sample("rueidis", 0, 20)}, open(t, path, session).Samples())
}

func TestAFileThatCannotBeReadIsNotTakenForEmpty(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a file that opens and cannot be read")
	}
	_, err := journal.Open("/proc/self/mem", session) // nothing is at address 0
	require.Error(t, err)
}

func TestSamplesOfOtherSettingsDoNotMix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.jsonl")
	require.NoError(t, open(t, path, session).Add(sample("keyslot", 0, 10)))
	for name, change := range map[string]func(*journal.Session){
		"length":  func(s *journal.Session) { s.Measure = 2 * time.Second },
		"cluster": func(s *journal.Session) { s.Addr = "10.0.0.1:6379" },
		"GC":      func(s *journal.Session) { s.GC = "GOGC=400" },
	} {
		other := session
		change(&other)
		_, err := journal.Open(path, other)
		require.ErrorContains(t, err, "-out", name)
	}
}

func TestOnlyBuildsThatMeasuredAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.jsonl")
	first := open(t, path, session)
	require.Empty(t, first.Builds())
	require.NoError(t, first.Add(sample("keyslot", 0, 10)))
	require.NoError(t, first.Add(sample("rueidis", 0, 20)))
	require.Equal(t, []report.Build{session.Build}, first.Builds())

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	second := open(t, path, rebuilt())
	require.Equal(t, []report.Build{session.Build}, second.Builds(), "it has measured nothing")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "it was only read")

	require.NoError(t, second.Add(sample("keyslot", 0, 11)))
	require.Equal(t, []report.Build{rebuilt().Build, session.Build}, open(t, path, session).Builds(),
		"the report says that the code changed")
	require.NoError(t, second.Add(sample("rueidis", 0, 21)))
	require.Equal(t, []report.Build{rebuilt().Build}, open(t, path, session).Builds(), "all was measured again")
}

func TestAJournalFromBeforeGoVersionsWereNotedIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.jsonl")
	text := `{"session":{"cpus":2,"gc":"","warm_up_ns":0,"measure_ns":1000000000,"build":"old","commit":"c0ffee"}}
{"sample":{"cell":"get64/c=1","client":"keyslot","round":0,"result":{"ops_per_second":10}}}
`
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	j := open(t, path, session)
	require.Equal(t, []report.Build{{Digest: "old", Commit: "c0ffee"}}, j.Builds(),
		"not the Go version and the clients of who reads it")
	require.Equal(t, []report.Sample{sample("keyslot", 0, 10)}, j.Samples())
}

func TestAClientThatCannotIsNotAskedAgain(t *testing.T) {
	j := journal.New(session)
	s := sample("radix", 0, 0)
	s.Result.Unsupported = "one slot only"
	require.NoError(t, j.Add(s))
	require.True(t, j.Unsupported(s.Cell, "radix"))
	require.True(t, j.Has(s.Cell, 4, []string{"radix"}))
	require.False(t, j.Unsupported("get64/c=8", "radix"))
}
