// Package output writes what was measured in forms for people and programs.
package output

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// CSV writes a line for each window of each run, with a header. Latencies are microseconds.
func CSV(w io.Writer, r record.Record) error {
	out := csv.NewWriter(w)
	header := []string{"client", "conns", "repetition", "at", "seconds"}
	for _, kind := range []string{"reads", "writes"} {
		for _, name := range []string{"", "_p50", "_p90", "_p95", "_p99", "_max"} {
			header = append(header, kind+name)
		}
	}
	if err := out.Write(append(header, "errors", "redirects", "shards")); err != nil {
		return err
	}
	for _, run := range r.Runs {
		for _, window := range run.Windows {
			line := []string{run.Client, run.Conns, strconv.Itoa(run.Repetition), number(window.At), number(window.Seconds)}
			line = append(append(line, columns(window.Reads)...), columns(window.Writes)...)
			line = append(line, strconv.FormatInt(window.Errors, 10), strconv.FormatInt(window.Redirects, 10), shards(window))
			if err := out.Write(line); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func columns(l record.Latency) []string {
	return []string{strconv.FormatInt(l.Count, 10), number(l.P50), number(l.P90), number(l.P95), number(l.P99), number(l.Max)}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// shards is "shard 1=1200 shard 2=800", since there may be any number of them.
func shards(w record.Window) string {
	var parts []string
	for _, s := range w.Shards {
		parts = append(parts, fmt.Sprintf("%s=%d", s.Shard, s.Ops))
	}
	return strings.Join(parts, " ")
}
