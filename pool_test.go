package keyslot

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// Which nodes a client holds on to, and which connection a node keeps.

// gone reports whether a node dials no more.
func gone(n *node) bool { return n.startDedicated() != nil }

func aPool(t *testing.T) *pool {
	p := newPool(1, func(context.Context, *node, purpose) (*wire.Conn, error) { return nil, net.ErrClosed })
	t.Cleanup(func() {
		p.cancel()
		p.work.Wait()
	})
	return p
}

// nodesOf returns the pool's nodes for a map that lists infos.
func nodesOf(p *pool, now time.Time, infos ...Node) []*node {
	list := make([]*Node, len(infos))
	for i := range infos {
		list[i] = &infos[i]
	}
	return p.reconcile(list, now)
}

func TestTwoIdsAtOneAddressAreOneNode(t *testing.T) {
	p := newPool(1, nil)
	failed, successor := Node{ID: "a", Host: "h", Port: 1}, Node{ID: "b", Host: "h", Port: 1}
	now := time.Now()
	first := nodesOf(p, now, failed, successor)
	again := nodesOf(p, now, failed, successor)
	require.Same(t, first[0], first[1])
	require.Same(t, first[0], again[0])
	require.Zero(t, first[0].dedicated.retired)
}

func TestAnAddressTakenOverIsAnotherNode(t *testing.T) {
	p := newPool(1, nil)
	now := time.Now()
	old := nodesOf(p, now, Node{ID: "a", Host: "h", Port: 1})[0]
	other := nodesOf(p, now, Node{ID: "b", Host: "h", Port: 1})[0]
	require.NotSame(t, old, other)
	require.True(t, gone(old))
	require.Equal(t, "b", other.info().ID)
}

func TestAStrangerThatIsListedLaterGetsItsName(t *testing.T) {
	p := newPool(1, nil)
	now := time.Now()
	stranger := p.stranger(Node{Host: "10.0.0.5", Port: 1}, now)
	listed := Node{ID: "a", Host: "10.0.0.5", Port: 1, Hostname: "n5.example"}
	require.Same(t, stranger, nodesOf(p, now, listed)[0])
	require.Equal(t, listed, stranger.info())
	require.Same(t, stranger, p.stranger(Node{Host: "10.0.0.5", Port: 1}, now))
	require.Equal(t, listed, stranger.info(), "a redirect, which knows less, takes nothing away")
}

func TestStrangersLeaveHalfAMinuteAfterTheirLastUse(t *testing.T) {
	p := newPool(1, nil)
	now := time.Now()
	idle := p.stranger(Node{Host: "idle", Port: 1}, now)
	used := p.stranger(Node{Host: "used", Port: 1}, now)
	nodesOf(p, now.Add(30*time.Second))
	require.Zero(t, idle.dedicated.retired)
	p.stranger(Node{Host: "used", Port: 1}, now.Add(30*time.Second))
	nodesOf(p, now.Add(31*time.Second))
	require.NotZero(t, idle.dedicated.retired)
	require.Zero(t, used.dedicated.retired)
	require.Len(t, p.nodes, 1)
}

func TestStrangersAreBoundedAndTheLongestUnusedLeaves(t *testing.T) {
	p := newPool(1, nil)
	now := time.Now()
	mapped := nodesOf(p, now, Node{ID: "a", Host: "listed", Port: 1})[0]
	first := p.stranger(Node{Host: "first", Port: 1}, now)
	for i := range 1000 {
		last := p.stranger(Node{Host: fmt.Sprint("h", i), Port: 1}, now.Add(time.Duration(i+1)))
		require.Zero(t, last.dedicated.retired)
	}
	require.Len(t, p.nodes, maxStrangers+1)
	require.NotZero(t, first.dedicated.retired)
	require.Zero(t, mapped.dedicated.retired)
}

func TestANodeThatLeftIsNotDialled(t *testing.T) {
	p := aPool(t)
	now := time.Now()
	left := nodesOf(p, now, Node{ID: "a", Host: "h", Port: 1})[0]
	nodesOf(p, now.Add(time.Hour))
	_, err := left.lane(0).small.startDial(true)
	require.ErrorIs(t, err, errRetired)
	_, err = left.borrow(t.Context(), time.Time{}, nil)
	require.ErrorIs(t, err, errRetired)
}

// A command that was on its way to a node when that lost its slots comes too late to be released.
func TestACommandThatComesByAnOldMapDoesNotDialWhoeverLostItsSlots(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, server *fakenode.Node) {
		old := c.routes.Load()
		n := old.nodes[0]
		server.Cut(fakenode.RST)
		synctest.Wait()
		n.deposed()
		known := len(server.Tape())
		_, err := n.lane(0).small.open(t.Context(), time.Time{}, old)
		require.ErrorIs(t, err, errLostSlots)
		_, err = n.borrow(t.Context(), time.Time{}, old)
		require.ErrorIs(t, err, errLostSlots)
		synctest.Wait()
		require.Len(t, server.Tape(), known)

		for name, by := range map[string]*routes{"of a map in which it leads nobody": {slotMap: &slotMap{}}, "of a look": nil} {
			_, err := n.borrow(t.Context(), time.Time{}, by)
			require.NoError(t, err, name)
		}
		n.beginReign()
		_, err = n.borrow(t.Context(), time.Time{}, old)
		require.NoError(t, err)
	})
}

// aCore tells a story of a client of one scripted node, for what no caller can see.
func aCore(t *testing.T, tell func(t *testing.T, c *core, server *fakenode.Node)) {
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		defer network.Close()
		const addr = "10.0.0.1:6379"
		server := network.Node(addr)
		network.Topology(1, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{addr}})
		c, err := newCore(Options{Endpoints: []string{addr}, Dial: network.Dial})
		require.NoError(t, err)
		defer c.close()
		require.NoError(t, c.connect(t.Context()))
		tell(t, c, server)
	})
}

func TestAConnectionOfferedDuringADialIsKeptAndTheDialledOneDrained(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, server *fakenode.Node) {
		n := c.routes.Load().nodes[0]
		server.Cut(fakenode.RST)
		synctest.Wait()
		shaken := make(chan struct{})
		server.On("HELLO", fakenode.Reaction{After: shaken, Send: fakenode.Hello}, fakenode.Reaction{Send: fakenode.Hello})
		dialled, err := n.lane(0).small.startDial(true)
		require.NoError(t, err)
		synctest.Wait()
		offered, err := c.dial(t.Context(), peer{n, n.info()}, wire.Options{Addr: n.addr()})
		require.NoError(t, err)
		require.True(t, n.lane(0).small.offer(offered))
		<-dialled // nobody waits for it any longer
		close(shaken)
		synctest.Wait()
		require.Same(t, offered, n.lane(0).small.live())
		require.Equal(t, 1, server.Open())
		require.False(t, n.lane(0).small.offer(offered), "a lane that has a connection takes no other")
	})
}

func TestARefreshDialsAnewWhereTheConnectionIsDead(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, server *fakenode.Node) {
		n := c.routes.Load().nodes[0]
		for range 3 {
			server.Cut(fakenode.RST)
			synctest.Wait()
			view, err := c.askNode(t.Context(), n)
			require.NoError(t, err)
			require.Equal(t, slotCount, view.covered)
		}
	})
}

// The timer may fire just before a dial ends, and what it starts run just after.
func TestADialThatHasEndedMissesNobody(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, _ *fakenode.Node) {
		end := c.missWhileDialled(c.routes.Load().nodes[0], always)
		c.errands.mu.Lock()
		time.Sleep(dialPatience)
		end()
		c.errands.mu.Unlock()
		synctest.Wait()
		require.Empty(t, c.scout.missed)
	})
}

func TestADialThatLooksBeganIsMissedOnceACallerWaitsForIt(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, server *fakenode.Node) {
		n := c.routes.Load().nodes[0]
		server.On("HELLO", fakenode.Reaction{Delay: time.Hour})
		server.Cut(fakenode.RST)
		synctest.Wait()
		_, err := n.lane(0).small.startDial(false)
		require.NoError(t, err)
		time.Sleep(3*dialPatience - time.Millisecond)
		require.Empty(t, c.scout.missed)
		_, err = n.lane(0).small.startDial(true)
		require.NoError(t, err)
		time.Sleep(dialPatience)
		synctest.Wait()
		require.Contains(t, c.scout.missed, n)
	})
}

func TestTheOffsetsOfADayAreFew(t *testing.T) {
	const day, poll = int64(24 * time.Hour), int64(5 * time.Second)
	w := new(lagWatch)
	last := 2 * day / poll
	for i := range last + 1 {
		w.note(offsetAt{offset: i, at: i * poll}, 24*time.Hour)
		require.LessOrEqual(t, len(w.samples), 2*recentOffsets+2)
	}
	for behind := range last + 1 {
		at, truth := w.reached(last-behind), (last-behind)*poll
		require.LessOrEqual(t, at, truth, "no replica is fresher than it is")
		switch {
		case behind < recentOffsets:
			require.Equal(t, truth, at)
		case behind*poll <= day:
			require.Less(t, truth-at, day/recentOffsets+poll)
		}
	}
}

func TestAMapInstalledBeforeThePauseEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &core{done: make(chan struct{})}
		old, current := &routes{replaced: make(chan struct{})}, &routes{replaced: make(chan struct{})}
		close(old.replaced)
		soon, late := newCall(c), newCall(c)
		soon.routes, soon.forMap, soon.due = old, true, time.Now().Add(time.Hour)
		late.routes, late.forMap, late.due = current, true, time.Now().Add(time.Hour)
		began := time.Now()
		due, err := c.awaitDue(t.Context(), time.Time{}, []*call{soon, late})
		require.NoError(t, err)
		require.Positive(t, due)
		require.Equal(t, began, time.Now())
	})
}
