package output

import (
	"encoding/json"
	"io"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// Namespace is where CloudWatch puts the metrics.
const Namespace = "KeyslotBench"

// The structure that CloudWatch looks for in a line of a log (Amazon CloudWatch User Guide, "Specification: Embedded
// metric format"). Metrics and dimensions are members beside it, by name.
type (
	emfHead struct {
		Timestamp         int64 // milliseconds since 1970
		CloudWatchMetrics []emfDirective
	}
	emfDirective struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []emfMetric
	}
	emfMetric struct {
		Name              string
		Unit              string
		StorageResolution int // 1: kept by the second, for windows are shorter than a minute
	}
)

// EMF writes a window of a run as one line of JSON, with the time of its end.
func EMF(w io.Writer, run record.Run, window record.Window, end time.Time) error {
	line := map[string]any{"Client": run.Client, "Conns": run.Conns}
	var metrics []emfMetric
	add := func(name, unit string, value float64) {
		line[name] = value
		metrics = append(metrics, emfMetric{name, unit, 1})
	}
	for _, kind := range []struct {
		name    string
		latency record.Latency
	}{{"Read", window.Reads}, {"Write", window.Writes}} {
		add(kind.name+"s", "Count", float64(kind.latency.Count))
		if kind.latency.Count == 0 {
			continue // a percentile of nothing is not 0
		}
		add(kind.name+"P50", "Microseconds", kind.latency.P50)
		add(kind.name+"P90", "Microseconds", kind.latency.P90)
		add(kind.name+"P95", "Microseconds", kind.latency.P95)
		add(kind.name+"P99", "Microseconds", kind.latency.P99)
		add(kind.name+"Max", "Microseconds", kind.latency.Max)
	}
	add("Errors", "Count", float64(window.Errors))
	add("Redirects", "Count", float64(window.Redirects))
	line["_aws"] = emfHead{
		Timestamp: end.UnixMilli(),
		CloudWatchMetrics: []emfDirective{{
			Namespace: Namespace, Dimensions: [][]string{{"Client", "Conns"}}, Metrics: metrics,
		}},
	}
	return json.NewEncoder(w).Encode(line)
}
