package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// How long a call pauses after what: the rows of DESIGN.md, "What is retried", as the nodes see them.

const (
	tryAgain    = "TRYAGAIN Multiple keys request during rehashing of slot"
	clusterDown = "CLUSTERDOWN The cluster is down"
	loading     = "LOADING Valkey is loading the dataset in memory"
	masterDown  = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	readOnly    = "READONLY You can't write against a read only replica."
	unblocked   = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
	busyScript  = "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
	noReplicas  = "NOREPLICAS Not enough good replicas to write."
)

// arrivals are when attempts were seen.
type arrivals struct {
	mu sync.Mutex
	at []time.Time // guarded by mu
}

// note returns how many there have been with this one.
func (a *arrivals) note() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
	return len(a.at)
}

// gaps returns the times between the attempts so far, and forgets them.
func (a *arrivals) gaps() (gaps []time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := 1; i < len(a.at); i++ {
		gaps = append(gaps, a.at[i].Sub(a.at[i-1]))
	}
	a.at = nil
	return gaps
}

// ceilings doubles from first to limit, and shows that it stays there.
func ceilings(first, limit time.Duration) (all []time.Duration) {
	for c := first; c < limit; c *= 2 {
		all = append(all, c)
	}
	return append(all, limit, limit)
}

// drawn requires that gaps follow each other as the pauses of a call do, the free ones without any, and notes the
// longest of each.
func drawn(t *testing.T, gaps, ceilings, longest []time.Duration, free int) {
	t.Helper()
	require.Len(t, gaps, free+len(ceilings))
	for i, gap := range gaps[:free] {
		require.Zero(t, gap, "attempt %d follows at once", i+2)
	}
	for i, gap := range gaps[free:] {
		require.LessOrEqual(t, gap, ceilings[i], "pause %d", i+1)
		longest[i] = max(longest[i], gap)
	}
}

// draws is how many calls are looked at. That all of them pause for less than half of a ceiling comes to pass
// once in 10^12 times.
const draws = 40

// reaching requires that the longest pauses of so many calls come near their ceilings.
func reaching(t *testing.T, ceilings, longest []time.Duration) {
	t.Helper()
	for i, ceiling := range ceilings {
		require.Greater(t, longest[i], ceiling/2, "pause %d", i+1)
	}
}

func TestEveryAnswerIsFollowedByThePausesOfTheTable(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		lower, upper string // what the two nodes say
		free         int    // attempts that follow at once
		first, limit time.Duration
	}{
		"MOVED":           {"MOVED 866 " + upper, "MOVED 866 " + lower, 5, 5 * ms, 200 * ms},
		"ASK":             {"ASK 866 " + upper, "ASK 866 " + lower, 5, 5 * ms, 200 * ms},
		"ASK, then MOVED": {"ASK 866 " + upper, "MOVED 866 " + lower, 5, 5 * ms, 200 * ms},
		"MOVED to itself": {"MOVED 866 " + lower, "MOVED 866 " + lower, 0, 50 * ms, 500 * ms},
		"MOVED to ?":      {"MOVED 866 ?:6379", "MOVED 866 ?:6379", 0, 50 * ms, 500 * ms},
		"ASK to ?":        {"ASK 866 ?:6379", "ASK 866 ?:6379", 0, 50 * ms, 500 * ms},
		"TRYAGAIN":        {tryAgain, tryAgain, 0, 5 * ms, 200 * ms},
		"TRYAGAIN, asked": {"ASK 866 " + upper, tryAgain, 1, 5 * ms, 200 * ms},
		"CLUSTERDOWN":     {clusterDown, clusterDown, 0, 50 * ms, 500 * ms},
		"LOADING":         {loading, loading, 0, 50 * ms, 500 * ms},
		"MASTERDOWN":      {masterDown, masterDown, 0, 50 * ms, 500 * ms},
		"READONLY":        {readOnly, readOnly, 0, 50 * ms, 500 * ms},
		"UNBLOCKED":       {unblocked, unblocked, 0, 50 * ms, 500 * ms},
		"BUSY":            {busyScript, busyScript, 0, 50 * ms, 500 * ms},
		"too many":        {"ERR max number of clients reached", "", 0, 50 * ms, 500 * ms},
		"NOREPLICAS":      {noReplicas, noReplicas, 0, 100 * ms, 1000 * ms},
		"NOAUTH":          {"NOAUTH Authentication required.", "", 1, 50 * ms, 500 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{CommandTimeout: -1}, func(t *testing.T, s *stage) {
				ceilings := ceilings(row.first, row.limit)
				var attempts arrivals
				for node, says := range map[*fakenode.Node]string{s.lower: row.lower, s.upper: row.upper} {
					node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
						switch {
						case r.Name() != "SET":
							return fakenode.Reaction{}, false
						case attempts.note() > row.free+len(ceilings):
							return ok, true
						}
						return fakenode.Reaction{Send: "-" + says + "\r\n"}, true
					})
				}
				longest := make([]time.Duration, len(ceilings))
				for range draws {
					require.NoError(t, s.client.Set(t.Context(), low, "v"))
					drawn(t, attempts.gaps(), ceilings, longest, row.free)
				}
				reaching(t, ceilings, longest)
			})
		})
	}
}

// Nobody is there to see the attempts but Trace.
func TestDialsThatFailAreFollowedByThePausesOfTheTable(t *testing.T) {
	var attempts arrivals
	var enough func() // ends the call
	ceilings := ceilings(50*time.Millisecond, 500*time.Millisecond)
	trace := &keyslot.Trace{Retried: func(e keyslot.RetryEvent) {
		if attempts.note() > len(ceilings) {
			enough()
		}
	}}
	story(t, keyslot.Options{CommandTimeout: -1, Trace: trace}, func(t *testing.T, s *stage) {
		s.upper.Close()
		longest := make([]time.Duration, len(ceilings))
		for range draws {
			ctx, cancel := context.WithCancel(t.Context())
			enough = cancel
			require.ErrorIs(t, s.client.Set(ctx, up, "v"), context.Canceled)
			drawn(t, attempts.gaps(), ceilings, longest, 0)
		}
		reaching(t, ceilings, longest)
	})
}

// A connection that served before it was lost is replaced at once, and what was lost on it is sent at once, twice. The
// node closes each connection after its first reply.
func TestAReadThatIsLostAgainAndAgainIsSentTwiceAtOnce(t *testing.T) {
	ceilings := ceilings(50*time.Millisecond, 500*time.Millisecond)
	const free = 2
	story(t, keyslot.Options{CommandTimeout: -1}, func(t *testing.T, s *stage) {
		var attempts arrivals
		served := -1 // the connection of the last reply; only the node's one connection touches it
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			switch {
			case r.Name() != "GET":
				return fakenode.Reaction{}, false
			case r.Conn != served:
				served = r.Conn
				attempts.note()
				return value, true
			}
			return fakenode.Reaction{End: fakenode.FIN}, true
		})
		longest := make([]time.Duration, len(ceilings))
		for range draws {
			served = -1
			p := s.client.Pipeline()
			for i := range 1 + free + len(ceilings) { // of one slot, so that they are sent again together
				p.Get(fmt.Sprintf("{%s}%d", low, i))
			}
			require.NoError(t, p.Exec(t.Context()))
			drawn(t, attempts.gaps(), ceilings, longest, free)
		}
		reaching(t, ceilings, longest)
	})
}

// askedForSlots returns how often the two nodes were asked for the map.
func (s *stage) askedForSlots() int {
	return len(sent(s.lower, "CLUSTER SLOTS")) + len(sent(s.upper, "CLUSTER SLOTS"))
}

// The server behind the address is another one than the map knows.
func TestMovedToTheNodeThatSaysItIsMetByANewConnectionAndANewMap(t *testing.T) {
	var events seen
	story(t, keyslot.Options{Trace: events.trace()}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-MOVED 866 %s", lower), ok)
		asked := s.askedForSlots()
		require.NoError(t, s.client.Set(t.Context(), low, "v"))
		synctest.Wait()
		sets := sent(s.lower, "SET")
		require.Len(t, sets, 2)
		require.NotEqual(t, sets[0].Conn, sets[1].Conn)
		require.Greater(t, s.askedForSlots(), asked)
		require.Len(t, events.since(), 1)
		require.Equal(t, 1, s.lower.Open(), "the old connection is given up")
	})
}

// A thousand calls were refused at once, and all have paused after 50 ms.
func TestAThousandCallsComeBackAsAQueue(t *testing.T) {
	const calls, place = 1000, 100 * time.Microsecond
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		var attempts arrivals
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "SET" && attempts.note() <= calls {
				return says("-%s", busyScript), true
			}
			return ok, r.Name() == "SET"
		})
		var callers sync.WaitGroup
		for range calls {
			callers.Go(func() { require.NoError(t, s.client.Set(t.Context(), up, "v")) })
		}
		callers.Wait()
		require.Len(t, attempts.at, 2*calls)
		require.Equal(t, s.began, attempts.at[calls-1])
		for i, at := range attempts.at[calls:] {
			require.GreaterOrEqual(t, at.Sub(s.began), time.Duration(i)*place, "before %d others have had their places", i)
		}
		require.Equal(t, (calls-1)*place, time.Since(s.began))
	})
}

// The node that refuses has lost its slots, and the other one knows.
func TestWhatARefusalSaysOfTheMapIsLookedInto(t *testing.T) {
	for refusal, looks := range map[string]bool{
		clusterDown: true, "CLUSTERDOWN Hash slot not served": true, loading: true, masterDown: true, readOnly: true, unblocked: true,
		"MOVED 12182 ?:6379": true, "ASK 12182 ?:6379": true,
		tryAgain: false, busyScript: false, noReplicas: false, "ERR max number of clients reached": false,
	} {
		t.Run(refusal, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.upper.On("BLPOP", says("-%s", refusal))
				s.lower.On("BLPOP", says("*2\r\n$3\r\nfoo\r\n$1\r\nv"))
				s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
				asked := s.askedForSlots()
				_, err := s.client.Do(within(t, 3*time.Second), "BLPOP", up, 0)
				require.Equal(t, looks, err == nil, "%v", err)
				require.Equal(t, !looks, errors.Is(err, context.DeadlineExceeded))
				require.Equal(t, looks, s.askedForSlots() > asked)
				named := !strings.HasPrefix(refusal, "MOVED") // what has moved to nobody is for the topology alone
				require.Equal(t, looks && named, len(sent(s.lower, "EXISTS")) > 0, "of a key of the slots in question")
			})
		})
	}
}
