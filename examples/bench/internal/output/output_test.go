package output_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/output"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

func sample() record.Record {
	reads := record.Latency{Count: 900, P50: 100, P90: 200, P95: 250.5, P99: 900, Max: 1500}
	window := record.Window{At: 1.5, Seconds: 0.5, Reads: reads, Errors: 2, Redirects: 7,
		Shards: []record.ShardRate{{Shard: "shard 1", Ops: 600}, {Shard: "shard 2", Ops: 300}}}
	run := record.Run{Client: "keyslot", Conns: "reuse", Repetition: 1, Duration: 10, Reads: reads,
		Windows: []record.Window{window},
		Errors:  []record.Error{{Text: "CLUSTERDOWN", Count: 2}},
		Phases:  []record.Phase{{Name: "before", Seconds: 4, Reads: reads}, {Name: "scale-out", At: 4, Seconds: 6, Reads: reads}}}
	return record.Record{Title: "Scale-out under load", Machine: record.Machine{CPUs: 2, Load: -1}, Runs: []record.Run{run}}
}

func TestCSVHasALineForEachWindow(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, output.CSV(&out, sample()))
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 2)
	value := func(column string) string { return lines[1][slices.Index(lines[0], column)] }
	require.Equal(t, "keyslot", value("client"))
	require.Equal(t, "1.5", value("at"))
	require.Equal(t, "900", value("reads"))
	require.Equal(t, "250.5", value("reads_p95"))
	require.Equal(t, "0", value("writes"))
	require.Equal(t, "7", value("redirects"))
	require.Equal(t, "shard 1=600 shard 2=300", value("shards"))
}

// The rules are those of the Amazon CloudWatch User Guide, "Specification: Embedded metric format".
func TestEMFKeepsToItsSpecification(t *testing.T) {
	var out bytes.Buffer
	run, end := sample().Runs[0], time.UnixMilli(1_700_000_000_123)
	require.NoError(t, output.EMF(&out, run, run.Windows[0], end))
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")), "a document is one line")

	var head struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct {
					Name, Unit        string
					StorageResolution int
				}
			}
		} `json:"_aws"`
	}
	var members map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &head))
	require.NoError(t, json.Unmarshal(out.Bytes(), &members))
	require.Equal(t, int64(1_700_000_000_123), head.AWS.Timestamp)
	require.Len(t, head.AWS.CloudWatchMetrics, 1)
	directive := head.AWS.CloudWatchMetrics[0]
	require.Regexp(t, `^[0-9A-Za-z./_#:-]{1,255}$`, directive.Namespace)
	for _, set := range directive.Dimensions {
		require.LessOrEqual(t, len(set), 30)
		for _, dimension := range set {
			require.IsType(t, "", members[dimension], "a dimension is a member with a text")
			require.NotEmpty(t, members[dimension])
		}
	}
	require.LessOrEqual(t, len(directive.Metrics), 100)
	for _, metric := range directive.Metrics {
		require.IsType(t, 0.0, members[metric.Name], "a metric is a member with a number")
		require.Contains(t, []string{"Count", "Microseconds"}, metric.Unit)
		require.Equal(t, 1, metric.StorageResolution)
	}
	require.Equal(t, 250.5, members["ReadP95"])
	require.NotContains(t, members, "WriteP95", "there were no writes")
}

func TestSummaryShowsClientsPhasesAndErrors(t *testing.T) {
	var out bytes.Buffer
	r := sample()
	require.NoError(t, output.Summary(&out, r))
	require.Regexp(t, `keyslot reuse +90 +100us +25[01]us`, out.String())
	require.Regexp(t, `scale-out +6\.0 +150`, out.String())
	require.Contains(t, out.String(), "2 x CLUSTERDOWN")
	require.NotContains(t, out.String(), "spread")

	second := r.Runs[0]
	second.Duration, second.Repetition = 20, 2
	r.Runs = append(r.Runs, second)
	out.Reset()
	require.NoError(t, output.Summary(&out, r))
	require.Regexp(t, `keyslot reuse, median of 2 +68 `, out.String())
	require.Regexp(t, `spread +\+-33 %`, out.String())
}

func TestWhatAnOperationCostIsNotKnownWhereNoneEnded(t *testing.T) {
	var out bytes.Buffer
	r := sample()
	require.NoError(t, output.Summary(&out, r))
	require.Regexp(t, `keyslot reuse .* - +- +0 +0 *\n`, out.String())

	second := r.Runs[0]
	second.Usage = record.Usage{CPUPerOp: 12.5, AllocsPerOp: 3}
	r.Runs = append(r.Runs, second)
	out.Reset()
	require.NoError(t, output.Summary(&out, r))
	require.Regexp(t, `keyslot reuse, median of 2 .* 12\.5us +3\.0 +0 +0 *\n`, out.String(), "of the run that has it")
}
