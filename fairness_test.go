package keyslot_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Who waits for whom: stories on two scripted nodes (see delivery_test.go).

func TestCallersOfOneNodeDoNotWaitForAnother(t *testing.T) {
	for name, hurt := range map[string]func(s *stage){
		"silent":       func(s *stage) { s.upper.On("GET", stuck()) },
		"slow":         func(s *stage) { s.upper.On("GET", fakenode.Reaction{Delay: 50 * time.Millisecond, Send: "_\r\n"}) },
		"dead":         func(s *stage) { s.upper.Close() },
		"unreachable":  func(s *stage) { s.net.BlackHole(upper) },
		"not reading":  func(s *stage) { s.upper.StopReading() },
		"hanging up":   func(s *stage) { s.upper.On("GET", reset) },
		"out of order": func(s *stage) { s.upper.On("GET", says("-CLUSTERDOWN The cluster is down")) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{MaxInFlight: 8}, func(t *testing.T, s *stage) {
				s.lower.On("GET", value)
				s.quick(t, low)
				hurt(s)
				for range 500 {
					go func() { _, _ = s.client.Get(within(t, 3*time.Second), up) }()
				}
				for range 20 {
					time.Sleep(100 * time.Millisecond)
					s.quick(t, low)
				}
			})
		})
	}
}

// Where other commands are under way more may come, also to a node that is idle: whoever writes lets them join. With
// one processor the latest goroutine begins, and runs until it does. The race detector's scheduler lets the other one
// begin half of the time.
func TestWhereOthersAreUnderWayCommandsAreWrittenTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, others := range []bool{false, true} {
		t.Run(fmt.Sprintf("others %v", others), func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("GET", value)
				s.upper.On("GET", stuck())
				s.quick(t, low)
				if others {
					go func() { _, _ = s.client.Get(within(t, time.Minute), up) }()
					synctest.Wait()
				}
				const rounds = 20
				before := s.writes.Load()
				for range rounds {
					var running sync.WaitGroup
					for range 2 {
						running.Go(func() { s.quick(t, low) })
					}
					running.Wait()
				}
				if writes := s.writes.Load() - before; others {
					require.Less(t, writes, int32(rounds*3/2))
				} else { // unless one was preempted, each of the two
					require.Greater(t, writes, int32(rounds*3/2))
				}
			})
		})
	}
}

// A batch enters a full connection in chunks of 256, and whoever comes meanwhile enters behind the chunk that waits.
func TestALargeBatchLetsOthersInBetween(t *testing.T) {
	story(t, keyslot.Options{MaxInFlight: 256}, func(t *testing.T, s *stage) {
		s.lower.On("DEL", fakenode.Reaction{Delay: time.Millisecond, Send: ":1\r\n"})
		s.lower.On("GET", value)
		go func() {
			_, err := s.client.Del(within(t, time.Minute), keysOfLower(2000)...)
			require.NoError(t, err)
		}()
		time.Sleep(10 * time.Millisecond)
		_, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		synctest.Wait()
		before := slices.IndexFunc(s.lower.Tape(), func(r fakenode.Request) bool { return r.Name() == "GET" })
		require.Greater(t, before, 256)
		require.Less(t, before, 2*256+10) // the handshake is on the tape too
		time.Sleep(5 * time.Second)
		require.Len(t, sent(s.lower, "DEL"), 2000)
	})
}

// keysOfLower returns keys of as many slots of the lower node.
func keysOfLower(n int) (keys []string) {
	slots := map[uint16]bool{}
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprint("key:", i)
		if slot := keyslot.Slot(key); slot < 8192 && !slots[slot] {
			slots[slot] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// Callers who wait for room on a full connection enter in the order in which they came.
func TestCallersOfAFullConnectionAreServedInTurn(t *testing.T) {
	story(t, keyslot.Options{MaxInFlight: 4}, func(t *testing.T, s *stage) {
		s.lower.On("GET", fakenode.Reaction{Delay: 10 * time.Millisecond, Send: "_\r\n"})
		var want []string
		for i := range 50 {
			key := fmt.Sprintf("{%s}%d", low, i)
			want = append(want, "GET "+key)
			go func() { _, _ = s.client.Get(t.Context(), key) }()
			synctest.Wait()
		}
		time.Sleep(time.Second)
		require.Equal(t, want, names(sent(s.lower, "GET")))
	})
}
