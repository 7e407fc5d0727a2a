package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/names"
	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// detour leads connections to nodes through what stands before them. It is Options.Dial of a client behind that, and
// not its MapAddr: the connection to an endpoint is its node's from then on.
type detour struct {
	by     map[string]string // where a front listens, by the address of its node
	direct atomic.Bool       // new connections go straight to their nodes
}

func (d *detour) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if front, ok := d.by[addr]; ok && !d.direct.Load() {
		addr = front
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// fronts stand before the nodes of a cluster.
type fronts struct {
	detour
	of map[string]*proxy.Front // by the address of the node
}

func newFronts(addrs []string) (*fronts, error) {
	f := &fronts{detour: detour{by: map[string]string{}}, of: map[string]*proxy.Front{}}
	for _, addr := range addrs {
		front, err := proxy.Listen("127.0.0.1:0", addr, proxy.Plain)
		if err != nil {
			f.close()
			return nil, err
		}
		f.of[addr], f.by[addr] = front, front.Addr()
	}
	return f, nil
}

func (f *fronts) close() {
	for _, front := range f.of {
		front.Close()
	}
}

// withFronts runs do on a new cluster, with a front for each of its nodes.
func (b *bench) withFronts(ctx context.Context, do func(r *rig, f *fronts) error) error {
	r, err := b.cluster(ctx, realcluster.Options{})
	if err != nil {
		return err
	}
	defer r.Stop()
	f, err := newFronts(r.Addrs())
	if err != nil {
		return err
	}
	defer f.close()
	return do(r, f)
}

// behindFronts runs do with a load whose client reaches all nodes through fronts.
func (b *bench) behindFronts(ctx context.Context, do func(ctx context.Context, r *rig, f *fronts, l *load) error) error {
	return b.withFronts(ctx, func(r *rig, f *fronts) error {
		opts := keyslot.Options{Endpoints: r.Addrs(), Dial: f.dial}
		return b.load(ctx, opts, func(ctx context.Context, l *load) error { return do(ctx, r, f, l) })
	})
}

// blackHoles measures a connection on which nothing passes any more, and nothing says so, while its node is well.
func blackHoles(ctx context.Context, b *bench) error {
	var took, last []time.Duration
	for range b.runs {
		err := b.behindFronts(ctx, func(ctx context.Context, r *rig, f *fronts, l *load) error {
			f.direct.Store(true) // whoever dials again finds a way
			if err := f.of[r.Node(0).Addr()].Set(proxy.Fault{Hold: proxy.Both}); err != nil {
				return err
			}
			at := time.Now() // what began before may still be answered
			if err := errors.Join(l.awaitNew(ctx, 0, at), realcluster.Wait(ctx, time.Second)); err != nil {
				return err
			}
			records := l.end()
			back := comebackOf(records, 0, func(r record) bool { return r.start.After(at) })
			took, last = append(took, back.first.Sub(at)), append(last, back.last.Sub(at))
			progress("black hole: back after %v", back.first.Sub(at).Round(time.Millisecond))
			a, err := settle(ctx, l.client, records)
			if err == nil && a.doubled+a.untrue+len(a.lost) > 0 {
				err = fmt.Errorf("%d ran twice or untold, %d lost", a.doubled+a.untrue, len(a.lost))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	b.atMost("blackhole", "from the black hole to the next success, max", milliseconds(quantile(took, 1)), 2000, "ms")
	b.atMost("blackhole", "from the black hole to the success of the last caller, max", milliseconds(quantile(last, 1)), 2000, "ms")
	return nil
}

// resets measures connections that are reset in the middle of a reply.
func resets(ctx context.Context, b *bench) error {
	const times = 20
	return b.behindFronts(ctx, func(ctx context.Context, r *rig, f *fronts, l *load) error {
		front, shard := f.of[r.Node(0).Addr()], inShard(0)
		for range times {
			before := front.Counts()
			drawn := 0
			cut := proxy.Cut{How: proxy.Reset, After: func() int64 {
				if drawn++; drawn > before.Open {
					return math.MaxInt64 // of those that come in the place of the first
				}
				return rand.Int64N(200)
			}}
			if err := front.Set(proxy.Fault{Cut: cut}); err != nil {
				return err
			}
			if err := redialled(ctx, front, before); err != nil {
				return err
			}
			if err := front.Set(proxy.Fault{}); err != nil {
				return err
			}
		}
		records := l.end()
		gaps := gapsOf(records, shard)
		if len(gaps) == 0 {
			return errors.New("no command has failed, so nothing was measured")
		}
		b.note("reset", "failures seen by the client, told as unknown", float64(len(gaps)), "")
		b.atMost("reset", "from a failure to the next success, median", milliseconds(quantile(gaps, 0.5)), 50, "ms")
		b.atMost("reset", "from a failure to the next success, max", milliseconds(quantile(gaps, 1)), 50, "ms")
		return b.account(ctx, "reset", l.client, records)
	})
}

// redialled waits for 300 ms, and longer where the machine is so busy that no connection has been reset and
// dialled anew by then.
func redialled(ctx context.Context, front *proxy.Front, before proxy.Counts) error {
	for range 20 {
		if err := realcluster.Wait(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		if front.Counts().Dials > before.Dials {
			return nil
		}
	}
	return errors.New("no connection was reset")
}

// gapsOf returns how long after each failure of one of the tags the next command succeeded; until the last
// record, where none did.
func gapsOf(records []record, of map[int]bool) (gaps []time.Duration) {
	for i, r := range records {
		if r.err == nil || !of[r.tag] {
			continue
		}
		next, ok := firstAfter(records[i:], of, r.end())
		if !ok {
			next = records[len(records)-1].end()
		}
		gaps = append(gaps, next.Sub(r.end()))
	}
	return gaps
}

// cancelStorm measures what commands that are given up within 2 ms cost others.
func cancelStorm(ctx context.Context, b *bench) error {
	const storm, callers = 5 * time.Second, 64
	var dials atomic.Int64
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	return b.withLoad(ctx, realcluster.Options{}, keyslot.Options{Dial: dial}, func(ctx context.Context, _ *rig, l *load) error {
		before := dials.Load()
		over := time.Now().Add(storm)
		var cancelled atomic.Int64
		var running sync.WaitGroup
		for range callers {
			running.Go(func() { // ends when the storm is over
				for time.Now().Before(over) {
					limited, cancel := context.WithTimeout(ctx, rand.N(2*time.Millisecond))
					if _, err := l.client.Get(limited, valueKey(rand.IntN(tags))); err != nil && limited.Err() != nil {
						cancelled.Add(1)
					}
					cancel()
				}
			})
		}
		running.Wait()
		extra := dials.Load() - before
		records := l.end()
		harmed, _ := failures(records, func(record) bool { return true })
		b.note("cancel", "commands cancelled", float64(cancelled.Load()), "")
		b.atMost("cancel", "extra dials", float64(extra), 0, "")
		b.atMost("cancel", "harmed bystanders", float64(harmed), 0, "")
		return b.account(ctx, "cancel", l.client, records)
	})
}

// configName is the name that the client is given, of the configuration endpoint.
const configName = "cfg." + realcluster.Domain

// gateways are all addresses of a cluster: a front for each node, and one behind the configuration name.
type gateways struct {
	fronts []*proxy.Front
	config *proxy.Front
}

// open puts new fronts before all nodes, which announce them, and one at addr behind the configuration name.
func (r *rig) open(ctx context.Context, addr string) (*gateways, error) {
	g := &gateways{}
	for _, n := range r.Nodes() {
		front, err := proxy.Listen("127.0.0.1:0", n.Addr(), proxy.Plain)
		if err != nil {
			return g, err
		}
		g.fronts = append(g.fronts, front)
		_, port, err := net.SplitHostPort(front.Addr())
		if err != nil {
			return g, err
		}
		if _, err := r.Do(ctx, n, "CONFIG", "SET", "cluster-announce-port", port); err != nil {
			return g, err
		}
	}
	var err error
	g.config, err = proxy.Listen(addr, r.Node(0).Addr(), proxy.Plain)
	return g, err
}

func (g *gateways) close() {
	for _, front := range append(g.fronts, g.config) {
		if front != nil {
			front.Close()
		}
	}
}

// announced waits until every node tells the addresses of the gateways, and no others.
func (r *rig) announced(ctx context.Context, g *gateways) error {
	for _, n := range r.Nodes() {
		for {
			slots, err := r.Do(ctx, n, "CLUSTER", "SLOTS")
			if err != nil {
				return err
			}
			missing := 0
			for _, front := range g.fronts {
				_, port, _ := net.SplitHostPort(front.Addr())
				if !strings.Contains(slots, port) {
					missing++
				}
			}
			if missing == 0 {
				break
			}
			if err := realcluster.Wait(ctx, probeEvery); err != nil {
				return fmt.Errorf("%s does not tell %d addresses: %w", n, missing, err)
			}
		}
	}
	return nil
}

// addresses measures a cluster whose addresses are all replaced, while only the configuration name leads to the new ones.
func addresses(ctx context.Context, b *bench) error {
	const gone = 3 * time.Second
	r, err := b.cluster(ctx, realcluster.Options{})
	if err != nil {
		return err
	}
	defer r.Stop()
	resolver, err := names.Listen()
	if err != nil {
		return err
	}
	defer resolver.Close()
	limited, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	old, err := r.open(limited, "127.0.0.2:0")
	defer old.close()
	if err != nil {
		return err
	}
	if err := r.announced(limited, old); err != nil {
		return err
	}
	resolver.Set(configName, netip.MustParseAddr("127.0.0.2"))
	_, port, _ := net.SplitHostPort(old.config.Addr())
	opts := keyslot.Options{Endpoints: []string{net.JoinHostPort(configName, port)}, Resolver: names.Resolver{Server: resolver.Addr()}}
	return b.load(limited, opts, func(ctx context.Context, l *load) error {
		old.close()
		fresh, err := r.open(ctx, net.JoinHostPort("127.0.0.3", port))
		defer fresh.close()
		if err != nil {
			return err
		}
		if err := r.announced(ctx, fresh); err != nil {
			return err
		}
		if err := realcluster.Wait(ctx, gone); err != nil {
			return err
		}
		resolver.Set(configName, netip.MustParseAddr("127.0.0.3"))
		flipped := time.Now()
		for shard := range primaries {
			if err := l.awaitSuccess(ctx, shard, flipped); err != nil {
				return err
			}
		}
		records := l.end()
		var took, last time.Duration
		for shard := range primaries {
			back := comebackOf(records, shard, func(r record) bool { return r.end().After(flipped) })
			took, last = max(took, back.first.Sub(flipped)), max(last, back.last.Sub(flipped))
		}
		b.atMost("addresses", "from the new DNS records to success on every shard", milliseconds(took), 1000, "ms")
		b.atMost("addresses", "from the new DNS records to the success of every caller", milliseconds(last), 1000, "ms")
		refused, first := failures(records, func(r record) bool { return r.end().After(flipped) })
		if first != nil {
			progress("first failure: %v", first)
		}
		b.atMost("addresses", "commands failed after that", float64(refused), 0, "")
		return b.account(ctx, "addresses", l.client, records)
	})
}

// swallow lets nothing pass through the fronts any more.
func (f *fronts) swallow() error {
	for _, front := range f.of {
		if err := front.Set(proxy.Fault{Hold: proxy.Both}); err != nil {
			return err
		}
	}
	return nil
}
