package nemesis

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// linkFamily disturbs what lies between the client and the nodes. The nodes notice nothing of it.
func linkFamily() []Nemesis {
	return []Nemesis{
		{
			Name: "rst", What: "connections end by RST in the middle of replies",
			Run: cut(proxy.Reset, proxy.Replies), Expects: []string{broken, dials}, Dials: 600,
		},
		{
			Name: "fin", What: "connections end by FIN in the middle of replies",
			Run: cut(proxy.Finish, proxy.Replies), Expects: []string{broken, dials}, Dials: 600,
		},
		{
			Name: "cut-request", What: "connections end by RST in the middle of commands",
			Run: cut(proxy.Reset, proxy.Requests), Expects: []string{broken, dials}, Dials: 600,
		},
		{
			Name: "trickle", What: "replies arrive a few bytes at a time",
			Run: trickle, Expects: []string{slow}, Dials: 60,
		},
		{
			Name: "stall", What: "replies stop for less than a second, again and again",
			Run: stall, Expects: []string{slow}, Dials: 60,
		},
		{
			Name: "black-hole", What: "nothing passes either way, and nothing is closed",
			Run: hold(proxy.Both), Expects: []string{slow, dials}, Dials: 100,
		},
		{
			Name: "half-open", What: "requests pass, replies do not",
			Run: hold(proxy.Replies), Expects: []string{slow, dials}, Dials: 100,
		},
		{
			Name: "refuse", What: "connections are reset and dials refused",
			Run: unreachable(proxy.Fault{Refuse: true}), Expects: []string{reset, failedDial}, Dials: 300,
		},
		{
			Name: "silent", What: "connections are reset, and new ones accepted and never answered",
			Run: unreachable(proxy.Fault{Silent: true}), Expects: []string{reset, failedDial}, Dials: 100,
		},
	}
}

// disturb puts the same trouble before one primary, or in one of three cases before all nodes, lets it last, and takes
// it away. fault is asked for each front; anew resets what is connected there.
func (s *Stage) disturb(ctx context.Context, lasts time.Duration, anew bool, fault func() proxy.Fault) (err error) {
	nodes := s.Cluster.Live()
	if s.oneIn(3) {
		s.note("all nodes for %v", lasts)
	} else {
		n, err := s.primary(ctx)
		if err != nil {
			return err
		}
		nodes = []*realcluster.Node{n}
		s.note("%s for %v", n, lasts)
	}
	defer func() {
		for _, n := range nodes {
			err = errors.Join(err, s.Net.Front(n).Set(proxy.Fault{}))
		}
	}()
	for _, n := range nodes {
		if err := s.Net.Front(n).Set(fault()); err != nil {
			return err
		}
		if anew {
			s.reset(n)
		}
	}
	return realcluster.Wait(ctx, lasts)
}

// cut ends connections after some bytes in one direction, and those that take their places too.
func cut(how proxy.End, of proxy.Direction) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		return s.disturb(ctx, s.between(time.Second, 3*time.Second), false, func() proxy.Fault {
			draws := rand.New(rand.NewPCG(s.Rand.Uint64(), 0)) // each front draws by itself
			return proxy.Fault{Cut: proxy.Cut{How: how, Of: of, After: func() int64 { return draws.Int64N(16 << 10) }}}
		})
	}
}

func trickle(ctx context.Context, s *Stage) error {
	each := 1 + s.Rand.IntN(3)
	s.note("%d B/ms", each)
	return s.disturb(ctx, s.between(time.Second, 3*time.Second), false, func() proxy.Fault { return proxy.Fault{Trickle: each} })
}

func stall(ctx context.Context, s *Stage) error {
	for range 2 + s.Rand.IntN(3) {
		err := s.disturb(ctx, s.between(100*time.Millisecond, 900*time.Millisecond), false, func() proxy.Fault {
			return proxy.Fault{Hold: proxy.Replies}
		})
		if err != nil {
			return err
		}
		if err := realcluster.Wait(ctx, s.between(50*time.Millisecond, 300*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// hold lasts longer than PeerTimeout, after which the client gives a silent connection up.
func hold(way proxy.Direction) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		return s.disturb(ctx, s.between(PeerTimeout+time.Second, PeerTimeout+3*time.Second), false, func() proxy.Fault {
			return proxy.Fault{Hold: way}
		})
	}
}

func unreachable(fault proxy.Fault) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		return s.disturb(ctx, s.between(500*time.Millisecond, 3*time.Second), true, func() proxy.Fault { return fault })
	}
}
