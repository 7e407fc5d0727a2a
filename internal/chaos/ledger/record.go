package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Kind is what an operation was, which says how it is checked.
type Kind string

// The kinds. What Record.Key, Want and Got hold is said beside each. Of what failed, Got is what the server said, if it did.
const (
	Write    Kind = "write"    // HINCRBY Key ID N, in whatever wrapping; Want is N, Got the count it was told
	Echo     Kind = "echo"     // a nonce or a value bound to a key; Want it, Got what came
	Push     Kind = "push"     // RPUSH Key N; Got the length it was told
	Pop      Kind = "pop"      // BLPOP Key, by one lane only; Got the element
	Register Kind = "register" // Op get, set or cas on Key; see Record.Op
	Forged   Kind = "forged"   // a script's error that looks like a redirect; Want its text
)

// Outcome is what a caller was told, as errors.Is tells it.
type Outcome string

// The outcomes.
const (
	OK          Outcome = "ok"           // no error
	Nil         Outcome = "nil"          // keyslot.Nil
	Answered    Outcome = "answered"     // an error that is none of the others: the server's reply
	NotExecuted Outcome = "not executed" // keyslot.ErrNotExecuted
	Unknown     Outcome = "unknown"      // keyslot.ErrUnknownOutcome
	Both        Outcome = "both"         // not executed and unknown at once, which is a violation by itself
)

// How the context of an operation ends.
const (
	Patient   = "none"     // it does not end; Options.CommandTimeout bounds the call
	Deadline  = "deadline" // by a deadline
	Cancelled = "cancel"   // by cancelling it
)

// Record is one operation: what was asked, when, and what the caller was told. Times are monotonic and count from the
// beginning of the round, in nanoseconds.
type Record struct {
	ID      string        `json:"id"`   // unique in the run
	Kind    Kind          `json:"kind"` // how it is checked
	Via     string        `json:"via"`  // how it was sent: plain, eval, pipeline, ordered, tx, watch, mget ...
	Lane    int           `json:"lane"` // the goroutine, which issues one operation, or one pipeline, at a time
	Key     string        `json:"key,omitempty"`
	Slot    uint16        `json:"slot"`
	Start   time.Duration `json:"start"`
	End     time.Duration `json:"end"`
	Bound   time.Duration `json:"bound"` // its context, or the client's own timeout, ended then or a moment later
	Ctx     string        `json:"ctx"`   // Patient, Deadline or Cancelled
	Outcome Outcome       `json:"outcome"`
	Err     string        `json:"err,omitempty"` // the error's text

	// Op is get, set or cas. A get leaves Want empty, and Got is the value, empty for none. A set leaves Got empty and
	// Want is the value. A cas puts Want where From was; Got is "1" if it did and "0" if not.
	Op   string `json:"op,omitempty"`
	From string `json:"from,omitempty"`
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`

	Group     string `json:"group,omitempty"`     // writes that run together or not at all
	N         int    `json:"n,omitempty"`         // element of a push: 1, 2, 3 ... for each lane and list; or what a write adds
	Aborted   bool   `json:"aborted,omitempty"`   // keyslot.ErrTxAborted: the caller reads again, nothing has failed
	Spoilt    bool   `json:"spoilt,omitempty"`    // a watched key was written in between, so it must not run
	Reordered bool   `json:"reordered,omitempty"` // the future said that it ran behind later ones

	// Overran is how much later the caller returned than a bare goroutine that waited for the same context, or, below
	// 0, sooner, where that was measured (Sampled) and the context ended before the call.
	Sampled bool          `json:"sampled,omitempty"`
	Overran time.Duration `json:"overran,omitempty"`
}

// String tells the operation as a violation shows it.
func (r Record) String() string {
	s := fmt.Sprintf("%s %s by %s of lane %d (key %s, slot %d), %v to %v, was told %s",
		r.Kind, r.ID, r.Via, r.Lane, r.Key, r.Slot, r.Start.Round(time.Microsecond), r.End.Round(time.Microsecond), r.Outcome)
	if r.Got != "" {
		s += fmt.Sprintf(" %q", r.Got)
	}
	if r.Err != "" {
		s += ": " + r.Err
	}
	return s
}

// Writer writes records to a file, one JSON object a line. It is for one goroutine at a time.
type Writer struct {
	file   *os.File
	buffer *bufio.Writer
	lines  *json.Encoder
}

// Create makes the file of one round, and truncates what was there.
func Create(path string) (*Writer, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	buffer := bufio.NewWriterSize(file, 1<<16)
	return &Writer{file: file, buffer: buffer, lines: json.NewEncoder(buffer)}, nil
}

// Write adds one record.
func (w *Writer) Write(r Record) error { return w.lines.Encode(r) }

// Close writes what is left and closes the file.
func (w *Writer) Close() error { return errors.Join(w.buffer.Flush(), w.file.Close()) }

// ReadFile returns the records of a file that Writer has closed.
func ReadFile(path string) ([]Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var records []Record
	for lines := json.NewDecoder(bufio.NewReaderSize(file, 1<<16)); ; {
		var r Record
		err := lines.Decode(&r)
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s, record %d: %w", path, len(records), err)
		}
		records = append(records, r)
	}
}
