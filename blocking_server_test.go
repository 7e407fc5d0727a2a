package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Blocking commands on real servers.

const (
	queues  = 40 // lists in many slots
	poppers = 3  // for each of them

	movedSlots = 300 // that a reshard moves
)

// market pushes numbered goods to queues, which poppers take from by blocking commands, until it is closed.
type market struct {
	client  *keyslot.Client
	queues  []string
	pushed  atomic.Int64
	opened  sync.WaitGroup // those who push
	waiting sync.WaitGroup // those who pop
	stop    context.CancelFunc
	leave   context.CancelFunc

	mu     sync.Mutex
	popped map[string]int // guarded by mu
	failed []error        // guarded by mu
}

func openMarket(t *testing.T, client *keyslot.Client) *market {
	m := &market{client: client, queues: someKeys(queues), popped: map[string]int{}}
	var pushing, popping context.Context
	pushing, m.stop = context.WithCancel(context.Background())
	popping, m.leave = context.WithCancel(context.Background())
	for _, q := range m.queues {
		m.opened.Go(func() { m.push(pushing, q) })
		for i := range poppers {
			m.waiting.Go(func() { m.pop(popping, q, i) })
		}
	}
	t.Cleanup(func() { m.stop(); m.leave(); m.opened.Wait(); m.waiting.Wait() })
	return m
}

func (m *market) push(ctx context.Context, q string) {
	for n := 0; ctx.Err() == nil; n++ {
		if _, err := m.client.Do(context.Background(), "RPUSH", q, fmt.Sprintf("%s:%d", q, n)); err != nil {
			m.note(err)
			return
		}
		m.pushed.Add(1)
		select {
		case <-time.After(20 * time.Millisecond): // so that the poppers wait
		case <-ctx.Done():
		}
	}
}

// pop takes from one queue by a command of its kind until it is told to leave.
func (m *market) pop(ctx context.Context, q string, kind int) {
	command := [][]any{
		{"BLPOP", q, 0},
		{"BRPOP", q, "2.5"},
		{"BLMPOP", 1, 1, q, "LEFT", "COUNT", 1},
	}[kind]
	for {
		reply, err := m.client.Do(ctx, command...)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				m.note(err)
			}
			return
		}
		if reply.IsNil() {
			continue
		}
		pair, err := reply.Slice()
		if err != nil {
			m.note(err)
			return
		}
		good := strings.Trim(pair[1].String(), "[]") // BLMPOP's is an array
		m.mu.Lock()
		if m.popped[good]++; m.popped[good] > 1 {
			m.failed = append(m.failed, fmt.Errorf("%s was popped twice", good))
		}
		m.mu.Unlock()
	}
}

// someKeys returns keys with hash tags of their own. Half of them lie in the first slots, which a reshard moves.
func someKeys(n int) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		if key := fmt.Sprintf("{%d}", i); len(keys)%2 == 0 || keyslot.Slot(key) < movedSlots {
			keys = append(keys, key)
		}
	}
	return keys
}

func (m *market) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = append(m.failed, err)
}

// taken returns how many goods have been popped, and requires that none was twice and nothing failed.
func (m *market) taken(t *testing.T) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Empty(t, m.failed)
	return int64(len(m.popped))
}

// close requires that everything that was pushed is popped in the end.
func (m *market) close(t *testing.T) {
	m.stop()
	m.opened.Wait()
	for deadline := time.Now().Add(20 * time.Second); m.taken(t) < m.pushed.Load(); <-time.After(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%d of %d popped", m.taken(t), m.pushed.Load())
	}
	m.leave()
	m.waiting.Wait()
	require.Equal(t, m.pushed.Load(), m.taken(t))
}

// goesOn waits until 1000 more goods have been popped.
func (m *market) goesOn(t *testing.T) {
	from := m.taken(t)
	becomes(t, 20*time.Second, func() bool { return m.taken(t) >= from+1000 })
}

func TestWhatIsPushedIsPoppedOnceThroughReshardFailoverAndReplacement(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		var moved, asked atomic.Int64
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], Trace: countRedirects(&moved, &asked)})
		m := openMarket(t, client)
		m.goesOn(t)

		from, to := cluster.Node(0), cluster.Node(1)
		require.NoError(t, cluster.Reshard(ctx, from, to, movedSlots))
		require.NoError(t, cluster.Reshard(ctx, to, from, movedSlots))
		m.goesOn(t)
		t.Logf("reshard there and back: %d popped, %d MOVED, %d ASK", m.taken(t), moved.Load(), asked.Load())

		replicas, err := cluster.ReplicasOf(ctx, 0)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		m.goesOn(t)
		_, err = cluster.Replace(ctx, cluster.Node(2))
		require.NoError(t, err)
		m.goesOn(t)
		m.close(t)
		t.Logf("in all: %d popped", m.taken(t))
	})
}

// blocked starts a command that blocks, and returns what becomes of it once it is blocked.
func blocked(t *testing.T, client *keyslot.Client, cluster *realcluster.Cluster, node *realcluster.Node, n int, args ...any) <-chan error {
	done := make(chan error, 1)
	go func() { // ends with the command
		_, err := client.Do(t.Context(), args...)
		done <- err
	}()
	require.Eventually(t, func() bool {
		info, err := cluster.Do(t.Context(), node, "INFO", "clients")
		return err == nil && strings.Contains(info, fmt.Sprintf("blocked_clients:%d\r\n", n))
	}, 5*time.Second, time.Millisecond)
	return done
}

// Nothing but the blocked commands uses the shard, so that nobody else could notice.
func TestBlockedCommandsOfAPrimaryThatIsGone(t *testing.T) {
	for name, goes := range map[string]func(*realcluster.Node) error{
		"killed": (*realcluster.Node).Kill, "frozen": (*realcluster.Node).Freeze,
	} {
		t.Run(name, func(t *testing.T) {
			onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
				const list, stream = "{hello}list", "{hello}stream" // slot 866
				client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[1:2]})
				primary, heir := cluster.Node(0), cluster.Node(3)
				pop := blocked(t, client, cluster, primary, 1, "BLPOP", list, 0)
				read := blocked(t, client, cluster, primary, 2, "XREAD", "BLOCK", 0, "STREAMS", stream, "$")
				require.NoError(t, goes(primary))
				require.NoError(t, cluster.WaitRole(t.Context(), heir, "primary"))
				promoted := time.Now()
				require.ErrorIs(t, <-pop, keyslot.ErrUnknownOutcome)
				_, err := client.Do(t.Context(), "XADD", stream, "*", "k", "v")
				require.NoError(t, err)
				require.NoError(t, <-read)
				t.Logf("%v after the promotion", time.Since(promoted))
			})
		})
	}
}
