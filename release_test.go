package keyslot_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What needs a connection for itself waits for the dial to a dead primary no longer than its replica takes to be
// promoted. More callers come than dials are made at once, so some of them wait for their turn to dial.
func TestNobodyWaitsForAConnectionOfTheirOwnToADeposedPrimary(t *testing.T) {
	set := func(f *flock) {
		for _, n := range f.node {
			n.On("SET", fakenode.Reaction{Delay: 5 * time.Millisecond, Send: "+OK\r\n"})
			n.On("WAIT", says(":1"))
			n.On("WATCH", ok)
			n.On("UNWATCH", ok)
			n.On("BLPOP", says("*2\r\n$3\r\nkey\r\n$1\r\nv"))
		}
		f.node[replica1].On("EXISTS", says("-MOVED 12539 %s", primary)) // it is not promoted yet
	}
	opts := keyslot.Options{CommandTimeout: time.Minute, DialTimeout: 20 * time.Second}
	readStory(t, opts, three[:2], set, func(t *testing.T, f *flock) {
		f.get(t)
		f.net.BlackHole(primary)
		var callers sync.WaitGroup
		callers.Go(func() { // has its connection, and its loss has others asked who serves the slot
			require.NoError(t, f.client.Idempotent().Set(context.Background(), "key", "v"))
		})
		time.Sleep(time.Millisecond)
		f.node[primary].Cut(fakenode.RST)
		for range 20 {
			callers.Go(func() {
				_, err := f.client.BLPop(context.Background(), time.Second, "key")
				require.NoError(t, err)
			})
			callers.Go(func() {
				require.NoError(t, f.client.Watch(context.Background(), []string{"key"}, func(*keyslot.Watched) error { return nil }))
			})
			callers.Go(func() {
				_, err := f.client.WriteAndWait(context.Background(), 1, time.Second, func(p *keyslot.Pipeline) error {
					p.Set("key", "v")
					return nil
				})
				require.NoError(t, err)
			})
		}
		time.Sleep(300 * time.Millisecond)
		f.net.Topology(2, oneShard(replica1, primary))
		f.node[replica1].On("EXISTS", says(":0"))
		callers.Wait()
		require.LessOrEqual(t, time.Since(f.began), (301+140+5)*time.Millisecond, "promoted, found by a look, and served")
	})
}
