package wire_test

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

func bulk(size int) string {
	return "$" + strconv.Itoa(size) + "\r\n" + strings.Repeat("x", size) + "\r\n"
}

// noticed collects the requests that OnLarge was called for.
type noticed struct {
	mu       sync.Mutex
	requests []string // guarded by mu
}

func (n *noticed) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests
}

func (n *noticed) note(_ *wire.Conn, request []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests = append(n.requests, string(request))
}

func TestALargeReplyIsNoticedOnceAndBeforeItIsWhole(t *testing.T) {
	for name, row := range map[string]struct {
		reply string
		begin int // how much of it is there when it is noticed; 0: never
	}{
		"a string":                     {bulk(wire.Large), 20},
		"a string that fits":           {bulk(wire.Large - 100), 0},
		"many short strings":           {"*5000\r\n" + strings.Repeat(bulk(100), 5000), wire.Large},
		"strings that fit":             {"*500\r\n" + strings.Repeat(bulk(100), 500), 0},
		"a push, as good as the reply": {">2\r\n" + bulk(10) + bulk(wire.Large) + "+OK\r\n", 50},
	} {
		t.Run(name, func(t *testing.T) {
			var seen noticed
			node, opts := newNode(t)
			opts.OnLarge = seen.note
			looked := make(chan struct{})
			node.On("GET", fakenode.Reaction{Send: row.reply[:row.begin]}, fakenode.Reaction{After: looked, Send: row.reply[row.begin:] + "+OK\r\n"})
			sending := send(t, t.Context(), connect(t, opts), get(2)...)
			var want []string
			if row.begin > 0 {
				want = []string{string(request("GET", "0"))}
				require.Eventually(t, func() bool { return len(seen.all()) > 0 }, 5*time.Second, time.Millisecond)
			}
			close(looked)
			sending.wait(t.Context())
			require.Equal(t, want, seen.all())
		})
	}
}

func TestLargeRepliesInARowAreNoticedEach(t *testing.T) {
	var seen noticed
	node, opts := newNode(t)
	opts.OnLarge = seen.note
	node.On("GET", fakenode.Reaction{Send: bulk(wire.Large)}, fakenode.Reaction{Send: "+small\r\n"}, fakenode.Reaction{Send: bulk(wire.Large)})
	conn := connect(t, opts)
	calls := send(t, t.Context(), conn, get(4)...).wait(t.Context())
	require.Equal(t, []string{bulk(wire.Large), "+small\r\n", bulk(wire.Large), bulk(wire.Large)}, replies(calls))
	require.Equal(t, []string{string(request("GET", "0")), string(request("GET", "2")), string(request("GET", "3"))}, seen.all())
}

// Of a batch it is the commands with the large replies that are remembered, or what its caller says instead.
func TestLargeRepliesToABatchAreNoticedEach(t *testing.T) {
	for _, instead := range []string{"", "all of it"} {
		var seen noticed
		node, opts := newNode(t)
		opts.OnLarge = seen.note
		node.On("ASKING", fakenode.Reaction{Send: "!" + bulk(wire.Large)[1:]})
		node.On("GET", fakenode.Reaction{Send: "+small\r\n"}, fakenode.Reaction{Send: bulk(wire.Large)})
		batch := triple("a")
		batch.Asking = true
		want := []string{string(batch.Batch[1]), string(batch.Batch[2])}
		if instead != "" {
			batch.Request, want = []byte(instead), []string{instead, instead}
		}
		require.NoError(t, send(t, t.Context(), connect(t, opts), batch).wait(t.Context())[0].Err)
		require.Equal(t, want, seen.all())
	}
}

// By the time the reply comes, whoever has the batch back has filled it with something else.
func TestALargeReplyToABatchGivenBackIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen noticed
		node, opts := newNode(t)
		opts.OnLarge = seen.note
		node.On("GET", fakenode.Reaction{Delay: time.Second, Send: "+small\r\n"}, fakenode.Reaction{Send: bulk(wire.Large)}, fakenode.Reaction{Send: "+small\r\n"})
		conn := connect(t, opts)
		batch := triple("a")
		batch.Movable = true
		want := string(batch.Batch[1])
		send(t, t.Context(), conn, batch)
		synctest.Wait()
		conn.GiveBack(errMoved)
		for _, request := range batch.Batch {
			clear(request)
		}
		reply, err := try(t.Context(), conn, "GET", "b")
		require.NoError(t, err)
		require.Equal(t, "+small\r\n", reply)
		require.Equal(t, []string{want}, seen.all())
	})
}

// A large reply may be the read buffer itself: what is read later must not change it.
func TestALargeReplyIsItsCallersAlone(t *testing.T) {
	node, opts := newNode(t)
	first, second := bulk(1<<20), strings.ReplaceAll(bulk(1<<20), "x", "y")
	node.On("GET", fakenode.Reaction{Send: first}, fakenode.Reaction{Send: second})
	conn := connect(t, opts)
	one := send(t, t.Context(), conn, get(1)...).wait(t.Context())[0]
	two := send(t, t.Context(), conn, get(1)...).wait(t.Context())[0]
	require.True(t, first == string(one.Reply))
	require.True(t, second == string(two.Reply))
}

func TestTheReadBufferGrowsByWhatHasArrived(t *testing.T) {
	const kib = 1 << 10
	for _, row := range []struct{ full, whole, size int }{
		{0, 1, 4 * kib},
		{0, 1 << 30, 4 * kib},
		{4 * kib, 4*kib + 1, 8 * kib}, // the rest of a line is longer than known
		{4 * kib, 4*kib + 900, 8 * kib},
		{4 * kib, 4*kib + 3000, 4*kib + 3000},
		{4 * kib, 1 << 30, 32 * kib},
		{128 * kib, 64 * kib, 256 * kib},          // many came at once
		{144 * kib, 64 * kib, 256 * kib},          // and no more is kept
		{512 * kib, 1024*kib + 14, 1024*kib + 14}, // a power of two, and its header
		{512 * kib, 1112 * kib, 1112 * kib},
		{512 * kib, 1 << 30, 4096 * kib},
	} {
		require.Equal(t, row.size, wire.Grown(row.full, row.whole), row)
	}
}

// A collection waits for a copy in one piece, and every goroutine with it.
func TestTheWorldCanBeStoppedInTheMidstOfALargeCopy(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))) // one for the copies, one to look at them
	node, opts := newNode(t)
	node.On("SET", fakenode.Reaction{Send: "+OK\r\n"})
	conn, value := connect(t, opts), strings.Repeat("x", 1<<20)
	var arg []byte
	for in, copies := range map[string]func(){
		"resp.AppendBulk":      func() { arg = resp.AppendBulk(arg[:0], value) },
		"wire.(*Conn).enqueue": func() { _, _ = try(t.Context(), conn, "SET", "key", value) },
	} {
		t.Run(in, func(t *testing.T) {
			var over atomic.Bool
			var work sync.WaitGroup
			work.Go(func() {
				for !over.Load() {
					copies()
				}
			})
			defer work.Wait()
			defer over.Store(true)
			require.Eventually(t, func() bool { return isStopped("resp.copyPiece", in) }, 10*time.Second, time.Millisecond)
		})
	}
}

// isStopped stops the world and reports whether a goroutine stands in one of the functions, called by the other one.
func isStopped(in, by string) bool {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, in) && strings.Contains(stack, by) {
			return true
		}
	}
	return false
}
