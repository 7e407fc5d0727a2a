package load

import (
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// Spec is what a run does. It goes to the process of the run as JSON; durations are nanoseconds there.
type Spec struct {
	Target       client.Target
	Client       string // one of client.Names
	PerCall      bool   // a new client for each operation
	ReplicaReads bool

	Prefix   string // of every key
	Keys     int
	Sessions int     // if not 0, hash-tagged sessions instead of Keys
	Dist     string  // one of Distributions
	Values   []int   // sizes in bytes
	Reads    float64 // share of the operations, 0 to 1
	Pipeline int     // commands of an operation; 0 and 1: no pipeline

	Workers  int
	Rate     float64 // operations a second, over all workers; 0: closed loop
	Ramp     time.Duration
	WarmUp   time.Duration
	Duration time.Duration
	Window   time.Duration
	Timeout  time.Duration // of an operation; 0: what the client does by itself
	Seed     uint64
}

// Order is what the process of a run is told, one JSON object a line. The first holds the spec. The end of its input
// ends the load early.
type Order struct {
	Spec   *Spec             `json:",omitempty"`
	Owners *record.Ownership `json:",omitempty"` // which shard has which slots from now on
	Phase  string            `json:",omitempty"` // a phase of this name begins
}

// Message is what the process of a run tells, one JSON object a line, with one field set.
type Message struct {
	Began  *time.Time     `json:",omitempty"` // measuring began, which is time 0
	Live   *Live          `json:",omitempty"`
	Window *record.Window `json:",omitempty"` // a window is over
	Phase  *record.Phase  `json:",omitempty"` // a phase is over
	Event  *record.Event  `json:",omitempty"`
	Result *Result        `json:",omitempty"` // the last one
	Failed string         `json:",omitempty"` // the last one: why there is no result
}

// Live is the window under way, told twice a second.
type Live struct {
	Window    record.Window
	Rate      float64 // operations a second since the last time
	Errors    int64   // so far in the run, as Redirects
	Redirects int64
}

// Result is the run as a whole.
type Result struct {
	Duration float64
	Reads    record.Latency
	Writes   record.Latency
	Errors   []record.Error
	Usage    record.Usage
}
