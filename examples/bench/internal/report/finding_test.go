package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// measured is a run with a window a second, of p95 so many microseconds each, and a thousand reads.
func measured(client, conns string, p95 ...float64) record.Run {
	run := record.Run{Client: client, Conns: conns, Duration: float64(len(p95)), Reads: record.Latency{Count: 1000, P95: p95[0]}}
	for i, v := range p95 {
		run.Windows = append(run.Windows, record.Window{At: float64(i), Seconds: 1, Reads: record.Latency{Count: 10, P95: v}})
	}
	return run
}

func TestFinding(t *testing.T) {
	tested := measured("keyslot", "reuse", 300, 310, 1180, 700, 320, 290)
	tested.Phases = []record.Phase{{Name: "before", Seconds: 2}, {Name: "scale-out", At: 2, Seconds: 2},
		{Name: "after scale-out", At: 4, Seconds: 2}}
	failed := measured("goredis", "reuse", 300)
	failed.Errors = []record.Error{{Text: "CLUSTERDOWN", Count: 250}}
	stuck := measured("keyslot", "reuse", 300, 0)
	stuck.Windows[1].Reads, stuck.Phases = record.Latency{}, []record.Phase{{Name: "kill", At: 1, Seconds: 1}}
	for _, c := range []struct {
		name string
		runs []record.Run
		want string
	}{
		{"no runs", nil, "Nothing was measured."},
		{"no experiment", []record.Run{measured("keyslot", "reuse", 300, 450)},
			"keyslot: p95 of reads stayed under 460 µs in every window of 1 s; 0 of 1,000 operations failed."},
		{"scale-out", []record.Run{tested},
			"keyslot: p95 of reads stayed under 1.2 ms during scale-out and 330 µs otherwise, in every window of 1 s; " +
				"0 of 1,000 operations failed."},
		{"nothing ends", []record.Run{stuck},
			"keyslot: p95 of reads stayed under 310 µs otherwise, in every window of 1 s; " +
				"none ended during kill; 0 of 1,000 operations failed."},
		{"beside another, which failed, in two repetitions", []record.Run{tested, failed, failed},
			"keyslot: p95 of reads stayed under 1.2 ms during scale-out and 330 µs otherwise, in every window of 1 s; " +
				"0 of 1,000 operations failed. 500 of 2,500 failed with goredis."},
		{"per call", []record.Run{measured("keyslot", "reuse", 200), measured("keyslot", "per-call", 1500)},
			"keyslot: p95 of reads stayed under 210 µs in every window of 1 s; 0 of 1,000 operations failed. " +
				"0 of 1,000 failed with keyslot per-call. " +
				"A new connection for each call made p95 of reads with keyslot 7.5 times as long."},
	} {
		t.Run(c.name, func(t *testing.T) {
			lead, rest := finding(group(c.runs))
			require.Equal(t, c.want, plain(strings.TrimSpace(lead+" "+rest)))
		})
	}
}

func TestTheMiddleRepetitionIsDrawn(t *testing.T) {
	all := group([]record.Run{measured("keyslot", "reuse", 900), measured("keyslot", "reuse", 100),
		measured("keyslot", "reuse", 300)})
	require.Len(t, all, 1)
	require.Equal(t, 300.0, all[0].shown.Reads.P95)
	require.Equal(t, []string{"keyslot", "3", "0.300 (0.100 to 0.900)"}, texts(spreadTable(all).Rows[0])[:3])
}
