package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/chaos/nemesis"
	"github.com/keyslot-go/keyslot/internal/chaos/worker"
)

// session is one cluster with one client process, for a few rounds.
type session struct {
	*stand
	child   *child
	dir     string            // of the records
	keeps   bool              // leave it there
	before  ledger.Resources  // of the worker, before it made its client
	first   *ledger.Resources // at the end of the first round
	earlier []ledger.Record   // of the round before, told not executed
}

// commandTimeout outlasts a failover: what is patient may not fail for it.
const commandTimeout = 15 * time.Second

// dialTimeout is short, so that a dial which nobody answers does not outlast the calm after a nemesis.
const dialTimeout = time.Second

func openSession(ctx context.Context, s setup, seed uint64, self, keep string) (_ *session, err error) {
	st, err := newStand(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	open := &session{stand: st, dir: keep, keeps: keep != ""}
	defer func() {
		if err != nil {
			open.end()
		}
	}()
	if open.dir == "" {
		open.dir, err = os.MkdirTemp("", "keyslot-chaos-")
	} else {
		err = os.MkdirAll(open.dir, 0o755)
	}
	if err != nil {
		return nil, err
	}
	authority, err := st.cluster.Authority()
	if err != nil {
		return nil, err
	}
	if open.child, err = startChild(self); err != nil {
		return nil, err
	}
	answer, err := open.child.order(ctx, commandTimeout, worker.Order{Do: worker.Open, Options: &worker.Options{
		Dir: open.dir, Seed: seed, Endpoints: []string{st.endpoint()}, Resolver: st.names.Addr(), CA: string(authority),
		Login:          &worker.Login{Username: clientUser, Password: clientPassword},
		CommandTimeout: commandTimeout, DialTimeout: dialTimeout, PeerTimeout: nemesis.PeerTimeout, IdleProbe: nemesis.IdleProbe,
	}})
	if err != nil {
		return nil, err
	}
	if answer.Resources != nil {
		open.before = *answer.Resources
	}
	prefer(open.child.cmd.Process.Pid)
	return open, nil
}

// close closes the client, which must leave nothing behind, and ends everything.
func (s *session) close(ctx context.Context) (found []ledger.Violation, err error) {
	defer s.end()
	answer, err := s.child.order(ctx, commandTimeout, worker.Order{Do: worker.Close})
	if err != nil {
		return nil, err
	}
	if answer.Resources != nil {
		found = ledger.CheckClosed(s.before, *answer.Resources)
	}
	return found, s.child.stop()
}

// end ends everything as it is.
func (s *session) end() {
	if s.child != nil {
		_ = s.child.stop() // for the second time after close
	}
	s.stand.close()
	if s.dir != "" && !s.keeps {
		_ = os.RemoveAll(s.dir) // a leftover in the system's temporary directory harms nothing
	}
}

// isStuck reports whether err is the client's fault and not the harness's.
func isStuck(err error) bool { return errors.Is(err, errStuck) }
