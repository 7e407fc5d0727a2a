package keyslot

import (
	"fmt"
	"sync"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// progress is how far the addresses behind the endpoints have got while there is no map. The patience of a caller may
// end before their dials do, and then it says what these wait for. Safe for concurrent use.
type progress struct {
	mu    sync.Mutex
	steps []*step // guarded by mu: of the round under way, or else of the last one
}

// beforeDial is when Options.Credentials is asked.
const beforeDial wire.Phase = "credentials"

// step is where one address has got.
type step struct {
	of   *progress // immutable
	from candidate // immutable

	// guarded by of.mu
	phase wire.Phase // of its dial; empty: it is connected, and was asked for the topology
	ended bool
	err   error // with ended: why it was of no use
}

// restart forgets the round before.
func (p *progress) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = nil
}

// begin notes an address that is about to be asked, for the map that all wait for if first.
func (p *progress) begin(from candidate, first bool) *step {
	s := &step{of: p, from: from, phase: beforeDial}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first {
		p.steps = append(p.steps, s)
	}
	return s
}

// enter notes the phase that begins.
func (s *step) enter(phase wire.Phase) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.phase = phase
}

func (s *step) end(err error) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.ended, s.err = true, err
}

// failures returns what each address came to, and first, in which phase why has ended the wait for those that are under way.
func (p *progress) failures(why error) (waiting, failed []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.steps {
		switch {
		case !s.ended:
			waiting = append(waiting, s.from.wrap(s.waits(why)))
		case s.err != nil:
			failed = append(failed, s.from.wrap(s.err))
		}
	}
	return waiting, failed
}

// waits is what an address fails with that why keeps from getting any further. mu is held.
func (s *step) waits(why error) error {
	failed := &wire.DialError{Phase: s.phase, Addr: s.from.addr.String(), Err: why}
	switch s.phase {
	case "":
		return fmt.Errorf("CLUSTER SLOTS: %w", why)
	case beforeDial: // as complete says it
		failed.Phase, failed.Err = wire.PhaseAuth, fmt.Errorf("credentials: %w", why)
	}
	return failed
}
