package keyslot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// By two maps, a later command on a key would go to its new node at once, and an earlier one by way of the old.
func TestAllCommandsOfAnAttemptGoByOneMap(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody there") }
	core, err := newCore(Options{Endpoints: []string{"127.0.0.1:1"}, Lazy: true, Dial: refuse})
	require.NoError(t, err)
	defer core.close()
	core.installBest([]*view{viewOf("a", "ok", 6, 0, twoShards)}, 1, false)
	before := core.routes.Load()
	core.installBest([]*view{viewOf("a", "ok", 7, 0, afterScaleOut)}, 1, false)
	after := core.routes.Load()

	var (
		done    atomic.Bool
		changes sync.WaitGroup
	)
	changes.Go(func() {
		for !done.Load() {
			core.routes.Store(before)
			core.routes.Store(after)
		}
	})
	defer func() { done.Store(true); changes.Wait() }()
	const key = "user:3" // of slot 2648, which moves
	for range 2000 {
		f := core.flight()
		for range 100 {
			call := f.queue()
			call.encode([]any{"INCR", key})
			require.NoError(t, f.add(call))
		}
		f.arrange(time.Time{}, f.calls)
		for _, call := range f.calls {
			require.Same(t, f.calls[0].node, call.node)
		}
		f.release()
	}
}

// BenchmarkRoute is what it costs to find a command's keys, slot and node.
func BenchmarkRoute(b *testing.B) {
	v, err := parseView(infoReply("ok", 6), bigReply(84), dialed, t0)
	require.NoError(b, err)
	core, err := newCore(Options{Endpoints: []string{"127.0.0.1:1"}, Lazy: true})
	require.NoError(b, err)
	defer core.close()
	core.installBest([]*view{v}, 1, false)
	call := newCall(core)
	for _, key := range []string{"user:1234567", "{user:1234567}:profile"} {
		b.Run(fmt.Sprint(len(key)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call.Request.Reset()
				call.Request.Arg("GET")
				call.Request.Key(key)
				call.node = nil
				if call.check() != nil {
					b.Fatal("refused")
				}
				if _, err := call.plan(); err != nil || core.route(core.routes.Load(), call, nil) != nil {
					b.Fatal("not routed")
				}
			}
		})
	}
}
