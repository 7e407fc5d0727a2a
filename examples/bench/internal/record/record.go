// Package record holds what a benchmark leaves behind: all that the summary, the JSON and CSV files and the report
// show. Times are seconds, counted from the start of their run unless said otherwise; latencies are microseconds.
package record

import "time"

// Record is one benchmark: one or more runs on one cluster, measured one after the other.
type Record struct {
	Title    string    `json:"title"`
	Command  string    `json:"command"` // as typed, without passwords
	Started  time.Time `json:"started"`
	Machine  Machine   `json:"machine"`
	Server   Server    `json:"server"`
	Settings []Setting `json:"settings"`
	Runs     []Run     `json:"runs"`
}

// Machine is where the load came from.
type Machine struct {
	OS     string  `json:"os"` // GOOS/GOARCH
	CPU    string  `json:"cpu"`
	CPUs   int     `json:"cpus"`
	Memory int64   `json:"memory"` // bytes; 0: not known
	Go     string  `json:"go"`
	Load   float64 `json:"load"` // average of the minute before the start; negative: not known
}

// Server is what answered.
type Server struct {
	Endpoint string `json:"endpoint"`
	Version  string `json:"version"` // "redis-server 7.0.15"
	Where    string `json:"where"`   // "loopback, 1 shard with 1 replica each", "ElastiCache, us-east-1" ...
}

// Setting is one line of the configuration.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Run is one client under load for a while.
type Run struct {
	Client     string  `json:"client"`  // keyslot, goredis, rueidis
	Version    string  `json:"version"` // of the client
	Conns      string  `json:"conns"`   // reuse or per-call
	Repetition int     `json:"repetition"`
	Warmup     float64 `json:"warmup"`              // seconds before time 0, measured by nobody
	Duration   float64 `json:"duration"`            // seconds measured
	CutShort   bool    `json:"cut_short,omitempty"` // somebody interrupted it
	Reads      Latency `json:"reads"`               // over the whole run
	Writes     Latency `json:"writes"`
	Errors     []Error `json:"errors"` // by text, most frequent first
	Usage      Usage   `json:"usage"`
	// Windows are consecutive and of one length, but for the last.
	Windows   []Window    `json:"windows"`
	Phases    []Phase     `json:"phases"`
	Events    []Event     `json:"events"`
	Ownership []Ownership `json:"ownership"`
}

// Latency describes the operations of one kind that ended well.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"` // microseconds, as all that follow
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Window is a stretch of a run.
type Window struct {
	At        float64     `json:"at"`
	Seconds   float64     `json:"seconds"`
	Reads     Latency     `json:"reads"`
	Writes    Latency     `json:"writes"`
	Errors    int64       `json:"errors"`
	Redirects int64       `json:"redirects"`
	Shards    []ShardRate `json:"shards"` // operations by shard, where the client tells
}

// Phase is a stretch of a run that begins or ends where an experiment did. Its percentiles are those of all its operations.
type Phase struct {
	Name    string  `json:"name"` // "before", "scale-out", "after scale-out" ...
	At      float64 `json:"at"`
	Seconds float64 `json:"seconds"`
	Reads   Latency `json:"reads"`
	Writes  Latency `json:"writes"`
	Errors  int64   `json:"errors"`
}

// ShardRate is how much of a window's load went to one shard.
type ShardRate struct {
	Shard string `json:"shard"` // a short name that a shard keeps for the run: "shard 1"
	Ops   int64  `json:"ops"`
}

// Kinds of events.
const (
	Experiment = "experiment" // what the benchmark did to the cluster, began and ended
	Topology   = "topology"   // what the cluster's map came to be
	Redirect   = "redirect"   // the first of a burst, with their number
	Refresh    = "refresh"
	Failure    = "error" // the first of a burst, with their number
)

// Event is a line on the timeline.
type Event struct {
	At   float64 `json:"at"`
	Kind string  `json:"kind"`
	Text string  `json:"text"`
}

// Ownership is which shard had which slots from a time on, until the next.
type Ownership struct {
	At     float64      `json:"at"`
	Shards []ShardSlots `json:"shards"`
}

// ShardSlots are the slots of one shard.
type ShardSlots struct {
	Shard  string      `json:"shard"`
	Node   string      `json:"node"`   // host:port of its primary
	Ranges [][2]uint16 `json:"ranges"` // inclusive
}

// Error is one kind of failed operation.
type Error struct {
	Text  string `json:"text"` // "unknown outcome: connection reset" ...; no arguments
	Count int64  `json:"count"`
}

// Usage is what the load cost the client's process. Operations are those that ended, well or not; where there were
// none, what each has cost is 0.
type Usage struct {
	CPUPerOp    float64 `json:"cpu_per_op"`    // microseconds, user and system; 0: not known
	AllocsPerOp float64 `json:"allocs_per_op"` // runtime.MemStats.Mallocs
	BytesPerOp  float64 `json:"bytes_per_op"`
	Dials       int64   `json:"dials"` // connections opened in the measured time; -1: not known
	Conns       int     `json:"conns"` // open at the end; -1: not known
}
