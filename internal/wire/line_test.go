package wire_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

func TestCallersBeyondMaxInFlightWaitTheirTurnWithinTheirPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction, ok := echo(r)
			reaction.Delay = time.Second
			return reaction, ok
		})
		opts.MaxInFlight = 2
		conn := connect(t, opts)
		full := send(t, t.Context(), conn, get(2)...)

		order := make(chan string, 3)
		for _, key := range []string{"a", "b", "c"} {
			go func() {
				ctx := t.Context()
				if key == "b" { // leaves the line
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond)
					defer cancel()
				}
				reply, err := try(ctx, conn, "GET", key)
				if errors.Is(err, context.DeadlineExceeded) {
					reply = "left " + key
				}
				order <- reply
			}()
			synctest.Wait()
		}
		require.Equal(t, 2, conn.InFlight())
		require.Equal(t, "left b", <-order)
		require.Equal(t, "+a\r\n", <-order)
		require.Equal(t, "+c\r\n", <-order)
		require.NoError(t, full.wait(t.Context())[1].Err)
		isFence := func(name string) bool { return name == "PING" }
		require.Equal(t, []string{"GET 0", "GET 1", "GET a", "GET c"}, slices.DeleteFunc(commands(node), isFence))
	})
}

// Small commands that would fit sooner must not overtake for ever, in particular when several replies arrive at once.
func TestLargeBatchIsNotStarvedBySmallCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		answered := 0
		node.On("GET", fakenode.Reaction{Send: "+batch\r\n"})
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() != "INCR" {
				return fakenode.Reaction{}, false
			}
			if answered++; answered%3 != 0 {
				return fakenode.Reaction{}, true
			}
			return fakenode.Reaction{Delay: time.Millisecond, Send: "+1\r\n+2\r\n+3\r\n"}, true
		})
		opts.MaxInFlight = 12
		conn := connect(t, opts)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		for range 30 {
			go func() {
				for ctx.Err() == nil {
					_, _ = try(ctx, conn, "INCR", "n")
				}
				done <- struct{}{}
			}()
		}
		time.Sleep(10 * time.Millisecond)
		begin := time.Now()
		patience, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		var w wire.Waiter
		w.Expect(8)
		err := conn.Send(patience, &w, get(8))
		took := time.Since(begin)
		cancel()
		for range 30 {
			<-done
		}
		require.NoError(t, err)
		require.Less(t, took, 15*time.Millisecond, "30 callers are in line or in flight, and 3 are answered in a millisecond")
	})
}

func TestBatchBeyondMaxInFlightEntersAnEmptyConnectionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		opts.MaxInFlight = 1
		opts.LibName, opts.LibVer = "keyslot", "1"
		conn := connect(t, opts)
		for range 3 {
			calls := send(t, t.Context(), conn, get(100)...).wait(t.Context())
			require.Equal(t, "+99\r\n", replies(calls)[99])
			_, err := try(t.Context(), conn, "GET", "a")
			require.NoError(t, err)
		}
	})
}

func TestCrowdOfCallersOnAHungNodeLeavesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{})
		node.On("PING", fakenode.Reaction{})
		opts.MaxInFlight = 1000
		conn := connect(t, opts)
		begin := time.Now()
		const crowd = 20_000
		done := make(chan error, crowd)
		for i := range crowd {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Duration(i*7919%crowd))
				defer cancel()
				_, err := try(ctx, conn, "GET", "a")
				done <- err
			}()
		}
		for range crowd {
			require.ErrorIs(t, <-done, context.DeadlineExceeded)
		}
		require.Less(t, time.Since(begin), time.Second+time.Millisecond)
		require.Equal(t, 1000, conn.InFlight())
		require.Len(t, commands(node), 1000)
	})
}

func TestCallerThatLeavesTheLineLetsTheNextOneIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{})
		opts.MaxInFlight = 3
		conn := connect(t, opts)
		send(t, t.Context(), conn, get(1)...)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { // three do not fit, and are in front
			var w wire.Waiter
			w.Expect(3)
			if err := conn.Send(ctx, &w, get(3)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("entered: %v", err)
			}
		}()
		synctest.Wait()
		begin := time.Now()
		send(t, t.Context(), conn, get(1)...)
		require.Equal(t, time.Second, time.Since(begin))
	})
}

func TestOfferTakesWhatNeedNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: time.Second, Send: "+ok\r\n"})
		opts.MaxInFlight, opts.IdleProbe = 4, time.Minute
		conn := connect(t, opts)
		require.Nil(t, offer(conn, get(5)...), "it would enter alone, and leave no room")
		first := offer(conn, get(2)...)
		require.Nil(t, offer(conn, get(3)...))
		time.AfterFunc(time.Millisecond, func() { require.Nil(t, offer(conn, get(1)...), "others are in front") })
		second := send(t, t.Context(), conn, get(3)...)
		for _, s := range []*sending{first, second} {
			for _, call := range s.wait(t.Context()) {
				require.NoError(t, call.Err)
			}
		}
		time.Sleep(time.Minute)
		require.Nil(t, offer(conn, get(1)...), "it would wait for a probe")
		synctest.Wait()
		require.Contains(t, commands(node), "PING")
		require.NoError(t, offer(conn, get(1)...).wait(t.Context())[0].Err)
		conn.Drain()
		require.Nil(t, offer(conn, get(1)...))
	})
}
