package worker

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// role is what some of the lanes do.
type role struct {
	lanes  int
	slower int // factor on the interval between two operations
	steps  []step
}

// step is something that a lane does, as often as weight says in comparison with the others. It returns how many
// commands that were.
type step struct {
	weight int
	do     func(*lane) int
}

// roles are the lanes of every round. Those of one role do the same, so that a lane that hangs is told from a fault
// that strikes one kind of operation.
func roles() []role {
	return []role{
		{lanes: 8, slower: 1, steps: []step{{8, (*lane).increment}, {4, (*lane).script}, {3, (*lane).mixedPipeline}, {1, (*lane).transaction}}},
		{lanes: 4, slower: 1, steps: []step{
			{3, (*lane).echo}, {3, (*lane).scriptEcho}, {4, (*lane).getBound}, {2, (*lane).getMany}, {2, (*lane).getTogether},
		}},
		{lanes: 3, slower: 1, steps: []step{{4, (*lane).push}, {1, (*lane).pushPipeline}}},
		{lanes: 3, slower: 2, steps: []step{{3, (*lane).registerGet}, {2, (*lane).registerSet}, {2, (*lane).registerSwap}}},
		{lanes: 1, slower: 4, steps: []step{{1, (*lane).forge}, {1, (*lane).forgeInTransaction}}},
		{lanes: 1, slower: 4, steps: []step{{1, (*lane).watch}}},
		{lanes: 1, slower: 4, steps: []step{{1, (*lane).enqueue}}},
		{lanes: 1, slower: 1, steps: []step{{1, (*lane).dequeue}}},
		{lanes: 1, slower: 32, steps: []step{{1, (*lane).largeWrite}, {1, (*lane).largeEcho}}},
	}
}

// lane is one goroutine of the load. All of it belongs to that goroutine.
type lane struct {
	round    *round
	home     []place // what it keeps to; nil: it goes everywhere
	number   int
	role     role
	interval time.Duration
	draw     *rand.Rand
	next     time.Time         // when the next operation is due
	issued   int               // operations, for their names
	pushed   map[string]int    // last element pushed, by list
	read     map[string]string // value last seen, by register
	turn     int               // of queues
}

// run issues operations until the round stops. Each returns by itself, by its context or by the client's CommandTimeout.
func (l *lane) run() {
	l.next = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.round.stopping:
			return
		case <-timer.C:
		}
		timer.Reset(l.pause(l.choose().do(l)))
	}
}

func (l *lane) choose() step {
	total := 0
	for _, s := range l.role.steps {
		total += s.weight
	}
	n := l.draw.IntN(total)
	for _, s := range l.role.steps {
		if n < s.weight {
			return s
		}
		n -= s.weight
	}
	return l.role.steps[0]
}

// maxArrears is how far a lane may lie behind its pace and still catch up. A process that was frozen, or whose calls
// all waited for a failover, must not come back with a burst that no service would send.
const maxArrears = 20 * time.Millisecond

// pause returns how long to wait after so many commands.
func (l *lane) pause(commands int) time.Duration {
	due := time.Duration(commands) * l.interval
	l.next = l.next.Add(due/2 + l.upTo(due+1))
	now := time.Now()
	if now.Sub(l.next) > maxArrears {
		l.next = now
	}
	return max(0, l.next.Sub(now))
}

// id returns a new name for an operation.
func (l *lane) id() string {
	l.issued++
	return strconv.Itoa(l.round.number) + "." + strconv.Itoa(l.number) + "." + strconv.Itoa(l.issued)
}

// upTo draws a duration below limit.
func (l *lane) upTo(limit time.Duration) time.Duration {
	return time.Duration(l.draw.Int64N(int64(limit)))
}
