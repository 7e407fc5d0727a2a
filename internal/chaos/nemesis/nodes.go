package nemesis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// nodeFamily fails over, ends, freezes, replaces and restarts nodes. Times are for a node timeout of 2 s.
func nodeFamily() []Nemesis {
	return []Nemesis{
		{
			Name: "failover", What: "a replica takes over by plan, once or twice",
			Run: failover, Seamless: true, Expects: []string{moved}, Dials: 20,
		},
		{
			Name: "kill", What: "a primary is killed, its replica promoted, and it comes back as a replica",
			Run: killAndRestart, Expects: []string{failedDial, slow}, Dials: 300,
		},
		{
			Name: "kill-replace", What: "a primary is killed, its replica promoted, and a new node takes the dead one's place",
			Run: killAndReplace, Expects: []string{failedDial, slow}, Dials: 300,
		},
		{
			Name: "freeze-short", What: "a primary stands still for less than the node timeout",
			Run: freezeShort, Expects: []string{slow}, Dials: 30,
		},
		{
			Name: "freeze-long", What: "a primary stands still until its replica was promoted, and wakes up",
			Run: freezeLong, Expects: []string{slow}, Dials: 100,
		},
		{
			Name: "replace", What: "a node is replaced by one at another address",
			Run: replace, Seamless: true, Expects: []string{moved, dials}, Dials: 30,
		},
		{
			Name: "loading", What: "a primary restarts and loads its data slowly",
			Run: loading, Expects: []string{clusterDown, dials}, Dials: 300,
		},
	}
}

func failover(ctx context.Context, s *Stage) error {
	for range 1 + s.Rand.IntN(2) {
		_, replica, err := s.shard(ctx)
		if err != nil {
			return err
		}
		s.note("to %s", replica)
		if err := s.Cluster.Failover(ctx, replica); err != nil {
			return err
		}
		if err := realcluster.Wait(ctx, s.between(0, 500*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// strike draws a shard and declares that its acknowledged writes may be lost. A bare connection begins to write there
// too: what it loses no client could have kept.
func (s *Stage) strike(ctx context.Context) (primary, replica *realcluster.Node, err error) {
	primary, replica, err = s.shard(ctx)
	if err != nil {
		return nil, nil, err
	}
	ranges, err := s.ranges(ctx, primary)
	if err != nil {
		return nil, nil, err
	}
	s.Lossy = append(s.Lossy, ranges...)
	s.note("%s", primary)
	key := keyIn(ranges, s.Round)
	s.Bare = ledger.StartBare(s.Cluster, key, keyslot.Slot(key))
	return primary, replica, nil
}

// keyIn returns a key in one of the slots.
func keyIn(owned []ledger.SlotRange, round int) string {
	for i := 0; ; i++ {
		key := fmt.Sprintf("bare:%d:%d", round, i)
		if slices.ContainsFunc(owned, func(r ledger.SlotRange) bool { return r.Contains(keyslot.Slot(key)) }) {
			return key
		}
	}
}

// kill ends a primary at once, and waits for its replica.
func (s *Stage) kill(ctx context.Context) (killed, promoted *realcluster.Node, err error) {
	killed, promoted, err = s.strike(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := realcluster.Wait(ctx, s.between(100*time.Millisecond, 500*time.Millisecond)); err != nil {
		return nil, nil, err
	}
	if err := killed.Kill(); err != nil {
		return nil, nil, err
	}
	return killed, promoted, s.Cluster.WaitRole(ctx, promoted, "primary")
}

func killAndRestart(ctx context.Context, s *Stage) error {
	killed, _, err := s.kill(ctx)
	if err != nil {
		return err
	}
	// Started sooner it would be an empty primary, and the whole shard's data lost.
	if err := s.Cluster.WaitHealthy(ctx); err != nil {
		return err
	}
	if err := killed.Restart(ctx); err != nil {
		return err
	}
	return s.Cluster.WaitRole(ctx, killed, "replica")
}

func killAndReplace(ctx context.Context, s *Stage) error {
	killed, promoted, err := s.kill(ctx)
	if err != nil {
		return err
	}
	if err := s.Cluster.WaitHealthy(ctx); err != nil {
		return err
	}
	if err := s.Cluster.Remove(ctx, killed); err != nil {
		return err
	}
	_, err = s.Cluster.AddReplica(ctx, promoted)
	return err
}

// standStill freezes n meanwhile.
func standStill(n *realcluster.Node, meanwhile func() error) error {
	if err := n.Freeze(); err != nil {
		return err
	}
	return errors.Join(meanwhile(), n.Thaw())
}

func freezeShort(ctx context.Context, s *Stage) error {
	n, err := s.primary(ctx)
	if err != nil {
		return err
	}
	lasts := s.between(300*time.Millisecond, 1200*time.Millisecond)
	s.note("%s for %v", n, lasts)
	return standStill(n, func() error { return realcluster.Wait(ctx, lasts) })
}

func freezeLong(ctx context.Context, s *Stage) error {
	n, replica, err := s.strike(ctx)
	if err != nil {
		return err
	}
	longer := s.between(0, 3*time.Second)
	s.note("%v past the promotion", longer)
	err = standStill(n, func() error {
		if err := s.Cluster.WaitRole(ctx, replica, "primary"); err != nil {
			return err
		}
		return realcluster.Wait(ctx, longer)
	})
	if err != nil {
		return err
	}
	return s.Cluster.WaitRole(ctx, n, "replica")
}

func replace(ctx context.Context, s *Stage) error {
	n, _, err := s.shard(ctx)
	if err != nil {
		return err
	}
	successor, err := s.Cluster.Replace(ctx, n)
	s.note("%s by %s", n, successor)
	return err
}

// loadTime is how long a restarted primary loads: shorter than the node timeout, so that it stays the primary.
const loadTime = 1200 * time.Millisecond

// loading restarts a primary with its data. SHUTDOWN SAVE waits for the replicas and answers nothing after it has
// saved, so no acknowledged write is lost, whoever is the primary afterwards.
func loading(ctx context.Context, s *Stage) (err error) {
	n, err := s.primary(ctx)
	if err != nil {
		return err
	}
	s.note("%s", n)
	dump, keys, err := s.dump(ctx, n)
	if err != nil {
		return err
	}
	if _, err := s.Cluster.Do(ctx, n, "SHUTDOWN", "SAVE"); err == nil {
		return fmt.Errorf("%s answered SHUTDOWN", n)
	} else if refused := (realcluster.ServerError("")); errors.As(err, &refused) {
		return fmt.Errorf("%s refused to shut down: %w", n, err)
	}
	if err := n.Kill(); err != nil { // it ends by itself; this waits for it
		return err
	}
	if _, err := os.Stat(dump); err != nil {
		return fmt.Errorf("%s has saved nothing: %w", n, err)
	}
	// A later start is to be empty again.
	defer func() { err = errors.Join(err, os.Remove(dump)) }()
	// In microseconds for each key; and looking at the sockets after each KiB, which is the least.
	return n.RestartWith(ctx, fmt.Sprintf("key-load-delay %d", loadTime.Microseconds()/int64(max(keys, 1))),
		"loading-process-events-interval-bytes 1024")
}

// dump returns where n saves its data, and how many keys it has.
func (s *Stage) dump(ctx context.Context, n *realcluster.Node) (path string, keys int, err error) {
	reply, err := s.Cluster.Do(ctx, n, "CONFIG", "GET", "dir")
	if err != nil {
		return "", 0, err
	}
	_, dir, _ := strings.Cut(reply, "\n")
	size, err := s.Cluster.Do(ctx, n, "DBSIZE")
	if err != nil {
		return "", 0, err
	}
	keys, err = strconv.Atoi(size)
	return filepath.Join(dir, "dump.rdb"), keys, err
}
