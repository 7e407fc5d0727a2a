// Package journal keeps samples in a file, so that a run that was interrupted goes on where it was.
package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
)

// Session is what one start of the harness measures with. Samples of sessions that measure differently do not mix.
type Session struct {
	CPUs    int           `json:"cpus"`
	Addr    string        `json:"addr,omitempty"` // of the cluster, where it is somebody else's
	GC      string        `json:"gc"`             // as load.GC has it
	WarmUp  time.Duration `json:"warm_up_ns"`
	Measure time.Duration `json:"measure_ns"`
	report.Build
}

// settings returns s without what may change within a file.
func (s Session) settings() Session {
	s.Build = report.Build{}
	return s
}

// line is a line of the file: a session, or a sample of the session above it.
type line struct {
	Session *Session       `json:"session,omitempty"`
	Sample  *report.Sample `json:"sample,omitempty"`
}

// Journal holds samples, and appends each new one to its file, if it has one. It is for one goroutine.
type Journal struct {
	file    *os.File // nil: nothing is kept
	session Session
	begun   bool // session is in the file
	samples []report.Sample
	builds  []report.Build // of samples, one for each
}

// New returns a journal without a file.
func New(session Session) *Journal { return &Journal{session: session} }

// Open reads the journal at path, and makes it if there is none. It fails if the file was measured with other settings
// than those of session, which begins in the file with the first sample: who only reads it leaves no trace. The caller
// has to Close the journal.
func Open(path string, session Session) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: file, session: session}
	if err := j.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return j, nil
}

// read takes over what the file holds. A line that ends in the middle is the last one of a session that was killed.
func (j *Journal) read() error {
	var build report.Build
	lines := bufio.NewReader(j.file)
	for {
		text, end := lines.ReadBytes('\n')
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			l = line{}
		}
		if earlier := l.Session; earlier != nil {
			if earlier.settings() != j.session.settings() {
				return fmt.Errorf("was measured with %+v, not %+v: take another file with -out, or delete it", *earlier, j.session)
			}
			build = earlier.Build
		}
		if l.Sample != nil {
			j.keep(*l.Sample, build)
		}
		switch end {
		case nil:
		case io.EOF:
			return nil
		default:
			return end
		}
	}
}

// Add keeps a sample. It takes the place of one of the same cell, client and round.
func (j *Journal) Add(s report.Sample) error {
	j.keep(s, j.session.Build)
	if !j.begun {
		if err := j.write(line{Session: &j.session}); err != nil {
			return err
		}
		j.begun = true
	}
	return j.write(line{Sample: &s})
}

func (j *Journal) keep(s report.Sample, build report.Build) {
	i := slices.IndexFunc(j.samples, func(old report.Sample) bool {
		return old.Cell == s.Cell && old.Client == s.Client && old.Round == s.Round
	})
	if i >= 0 {
		j.samples[i], j.builds[i] = s, build
		return
	}
	j.samples, j.builds = append(j.samples, s), append(j.builds, build)
}

func (j *Journal) write(l line) error {
	if j.file == nil {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	// The line break comes first too: a line that a killed session left unfinished must not swallow this one.
	_, err = j.file.Write(append(append([]byte("\n"), text...), '\n'))
	return err
}

// Has reports whether every client has a sample of that round of the cell, or has said that it cannot do the workload.
func (j *Journal) Has(cell string, round int, clients []string) bool {
	return !slices.ContainsFunc(clients, func(client string) bool {
		return !j.Unsupported(cell, client) && !slices.ContainsFunc(j.samples, func(s report.Sample) bool {
			return s.Cell == cell && s.Client == client && s.Round == round
		})
	})
}

// Unsupported reports whether client has said that it cannot do the workload of cell.
func (j *Journal) Unsupported(cell, client string) bool {
	return slices.ContainsFunc(j.samples, func(s report.Sample) bool {
		return s.Cell == cell && s.Client == client && s.Result.Unsupported != ""
	})
}

// Samples returns all samples, those of earlier sessions first.
func (j *Journal) Samples() []report.Sample { return j.samples }

// Builds returns the programs that measured the samples, each once, by their first samples.
func (j *Journal) Builds() []report.Build {
	var builds []report.Build
	for _, b := range j.builds {
		if !slices.Contains(builds, b) {
			builds = append(builds, b)
		}
	}
	return builds
}

// Close closes the file.
func (j *Journal) Close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
