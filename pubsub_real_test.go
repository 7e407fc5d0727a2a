package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Pub/sub on real servers. What is published is numbered, so that what is missing can be told.

// published is a message that was accepted, and when.
type published struct {
	channel    string
	number     int
	began, end time.Time
}

// press publishes numbered messages to channels from several goroutines until it is stopped.
type press struct {
	client  *keyslot.Client
	command string
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu    sync.Mutex
	sent  []published             // guarded by mu
	heard map[string]map[int]bool // guarded by mu
	twice []string                // guarded by mu
	gaps  []*keyslot.Gap          // guarded by mu
	count atomic.Int64            // messages heard
}

func startPress(t *testing.T, client *keyslot.Client, command string, channels []string) *press {
	running, stop := context.WithCancel(context.Background())
	p := &press{client: client, command: command, stop: stop, heard: map[string]map[int]bool{}}
	const workers = 4
	for w := range workers {
		p.workers.Go(func() {
			for n := w; running.Err() == nil; n += workers {
				channel := channels[n%len(channels)]
				began := time.Now()
				if _, err := client.Do(running, command, channel, n); err == nil {
					p.mu.Lock()
					p.sent = append(p.sent, published{channel, n, began, time.Now()})
					p.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { stop(); p.workers.Wait() })
	return p
}

// hear notes what a subscription receives, until it is closed.
func (p *press) hear(t *testing.T, sub *keyslot.Subscription) {
	p.workers.Go(func() {
		for m, err := range sub.Messages(context.Background()) {
			var gap *keyslot.Gap
			var n int
			switch {
			case errors.As(err, &gap):
				p.mu.Lock()
				p.gaps = append(p.gaps, gap)
				p.mu.Unlock()
				continue
			case err != nil:
				t.Errorf("the subscription has ended: %v", err)
				return
			}
			fmt.Sscan(m.Payload, &n)
			p.mu.Lock()
			if p.heard[m.Channel] == nil {
				p.heard[m.Channel] = map[int]bool{}
			}
			if p.heard[m.Channel][n] {
				p.twice = append(p.twice, m.Channel+" "+m.Payload)
			}
			p.heard[m.Channel][n] = true
			p.mu.Unlock()
			p.count.Add(1)
		}
	})
}

// goesOn waits until each of the channels has delivered a message that was published from now on, and returns how long that took.
func (p *press) goesOn(t *testing.T, channels []string) time.Duration {
	t.Helper()
	began := time.Now()
	p.mu.Lock()
	from := 0
	for _, s := range p.sent {
		from = max(from, s.number)
	}
	p.mu.Unlock()
	delivers := func(channel string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for n := range p.heard[channel] {
			if n > from+len(channels) {
				return true
			}
		}
		return false
	}
	for _, channel := range channels {
		require.Eventually(t, func() bool { return delivers(channel) }, 30*time.Second, time.Millisecond, channel)
	}
	return time.Since(began)
}

// check ends everything, and requires that what is missing was published within a gap, and that nothing came twice.
func (p *press) check(t *testing.T, sub *keyslot.Subscription) {
	t.Helper()
	p.stop()
	last := int64(-1)
	require.Eventually(t, func() bool { // nothing has come for a while
		was := last
		last = p.count.Load()
		return was == last
	}, 20*time.Second, 300*time.Millisecond)
	require.NoError(t, sub.Close())
	p.workers.Wait()
	missing := 0
	for _, s := range p.sent {
		if p.heard[s.channel][s.number] {
			continue
		}
		missing++
		require.True(t, p.covered(s), "%s %d, published at %v, is missing, and of no gap: %v", s.channel, s.number, s.began, p.gaps)
	}
	require.Empty(t, p.twice)
	t.Logf("%d published, %d heard, %d missing, %d gaps", len(p.sent), p.count.Load(), missing, len(p.gaps))
}

func (p *press) covered(s published) bool {
	for _, g := range p.gaps {
		for _, channel := range g.Channels {
			if channel == s.channel && !s.end.Before(g.From) && !s.began.After(g.To) {
				return true
			}
		}
	}
	return false
}

func numbered(prefix string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i))
	}
	return names
}

// moveSlot moves a slot without keys to the next primary.
func moveSlot(t *testing.T, cluster *realcluster.Cluster, slot uint16) {
	t.Helper()
	ctx, number := t.Context(), fmt.Sprint(slot)
	from, err := cluster.Primary(ctx, int(slot))
	require.NoError(t, err)
	to := cluster.Node(0)
	if from == to {
		to = cluster.Node(1)
	}
	// The order of redis-cli: the target first, so that nobody is without the slot. A server may say that its replicas have
	// not heard of it in time.
	for _, node := range []*realcluster.Node{to, from} {
		require.Eventually(t, func() bool {
			_, err := cluster.Do(ctx, node, "CLUSTER", "SETSLOT", number, "NODE", to.ID())
			return err == nil
		}, 20*time.Second, 10*time.Millisecond)
	}
}

func TestShardChannelsFollowTheirSlots(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		publisher := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], MessageBuffer: 1 << 20, CommandTimeout: 30 * time.Second})
		channels := numbered("shard:", 200)
		sub, err := client.SSubscribe(ctx, channels...)
		require.NoError(t, err)
		p := startPress(t, publisher, "SPUBLISH", channels)
		p.hear(t, sub)
		p.goesOn(t, channels)
		require.Empty(t, p.gaps)

		for i := 0; i < len(channels); i += 2 {
			moveSlot(t, cluster, keyslot.Slot(channels[i]))
		}
		t.Logf("after the slots of half of the channels have moved: %v", p.goesOn(t, channels))

		replicas, err := cluster.ReplicasOf(ctx, 16383)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		t.Logf("after the failover: %v", p.goesOn(t, channels))

		require.NoError(t, cluster.Node(1).Kill())
		require.NoError(t, cluster.WaitRole(ctx, cluster.Node(4), "primary"))
		t.Logf("after the death of a primary: %v", p.goesOn(t, channels))
		p.check(t, sub)
		for _, g := range p.gaps {
			t.Logf("%d channels, %v: %v", len(g.Channels), g.To.Sub(g.From), g.Err)
		}
	})
}
