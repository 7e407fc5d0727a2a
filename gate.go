package keyslot

import (
	"sync"
	"sync/atomic"
)

// gate counts the commands under way, and turns new ones away once it is shut. Safe for concurrent use.
type gate struct {
	_     [64]byte     // every command changes n: what others read of this memory is to be on other cache lines
	n     atomic.Int64 // commands under way, plus gateShut
	_     [56]byte
	once  sync.Once     // closes empty
	empty chan struct{} // closed when the gate is shut and the last command has left
}

// gateShut is more than all commands that can be under way.
const gateShut = 1 << 40

// enter counts a command in. One within another, which has entered, is part of that and always may.
func (g *gate) enter(within bool) bool {
	if g.n.Add(1) < gateShut || within {
		return true
	}
	g.leave()
	return false
}

// crowded reports, to a command under way, whether others are; those that wait at a server count.
func (g *gate) crowded() bool { return g.n.Load() > 1 }

func (g *gate) leave() {
	if g.n.Add(-1) == gateShut {
		g.once.Do(func() { close(g.empty) })
	}
}

func (g *gate) shut() {
	for {
		n := g.n.Load()
		if n >= gateShut {
			return
		}
		if g.n.CompareAndSwap(n, n+gateShut+1) { // entered, so that leaving notices an empty gate
			g.leave()
			return
		}
	}
}
