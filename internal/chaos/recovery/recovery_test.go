package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func TestShardsAreThoseOfANewCluster(t *testing.T) {
	for shard := range primaries {
		require.Equal(t, shard, shardOf(firstSlot(shard)))
		require.Equal(t, shard, shardOf(firstSlot(shard+1)-1))
		require.Greater(t, len(inShard(shard)), tags/primaries/2)
	}
}

func TestANodeIsEmptyWhenItsOwnLineHasNoSlots(t *testing.T) {
	const other = "aaa 127.0.0.1:1@2 master - 0 0 1 connected 0-5460\n"
	const self = "bbb 127.0.0.1:3@4 myself,master - 0 0 2 connected"
	require.True(t, ownsNothing(other+self+"\n"))
	require.False(t, ownsNothing(other+self+" 5461\n"))
	require.False(t, ownsNothing(other+self+" [5461->-aaa]\n"), "a slot on its way is still there")
}

func TestTheLedgerTellsWhatWasToldWrong(t *testing.T) {
	unsent, unknown := fmt.Errorf("x: %w", keyslot.ErrNotExecuted), fmt.Errorf("x: %w", keyslot.ErrUnknownOutcome)
	records := []record{
		{id: "fine"}, {id: "never ran", err: unsent}, {id: "who knows", err: unknown}, {}, // the last is no counted write
		{id: "twice", err: unknown}, {id: "ran after all", err: unsent}, {id: "gone"},
	}
	a := compare([]map[string]string{{"fine": "1", "twice": "2", "ran after all": "1"}}, records)
	require.Equal(t, account{doubled: 1, untrue: 1, lost: []record{{id: "gone"}}}, a)
}

func TestAShardIsBackWhenAllOfItsWorkersAre(t *testing.T) {
	l := &load{begun: time.Now()}
	for w := range workers {
		if w != 5 { // of the third shard
			l.last[w].Store(int64(20 * time.Millisecond))
		}
	}
	limited, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	at := l.begun.Add(10 * time.Millisecond)
	require.NoError(t, l.awaitSuccess(limited, 0, at))
	require.ErrorContains(t, l.awaitSuccess(limited, 2, at), "worker 5 does not succeed")

	lost := errors.New("lost")
	ended := func(ms, worker int, err error) record {
		return record{start: l.begun.Add(time.Duration(ms) * time.Millisecond), worker: worker, err: err}
	}
	records := []record{ended(5, 2, nil), ended(11, 2, lost), ended(12, 0, nil), ended(13, 5, nil), ended(14, 5, nil), ended(19, 2, nil), ended(30, 2, nil)}
	back := comebackOf(records, 2, func(r record) bool { return r.start.After(at) })
	require.Equal(t, []time.Duration{13 * time.Millisecond, 19 * time.Millisecond}, []time.Duration{back.first.Sub(l.begun), back.last.Sub(l.begun)})
}

// One command that took a second stands for all that were due meanwhile.
func TestAStallIsNotOneSlowCommand(t *testing.T) {
	const every = 5 * time.Millisecond
	due := time.Now()
	fast := record{due: due, owed: 1, start: due, took: time.Millisecond}
	stalled := record{due: due, owed: 1, start: due, took: time.Second}
	next := record{due: due.Add(every), owed: 199, start: due.Add(time.Second), took: time.Millisecond}
	var waits []time.Duration
	for range 1000 {
		waits = append(waits, fast.waits(every)...)
	}
	waits = append(append(waits, stalled.waits(every)...), next.waits(every)...)
	require.Equal(t, 1200, len(waits))
	require.Equal(t, []time.Duration{996 * time.Millisecond, 991 * time.Millisecond}, next.waits(every)[:2])
	require.Greater(t, quantile(waits, 0.99), 900*time.Millisecond)
}

func TestAGapEndsWithTheNextSuccessInTheSameShard(t *testing.T) {
	begin := time.Now()
	at := func(ms, tag int, err error) record {
		return record{start: begin.Add(time.Duration(ms) * time.Millisecond), tag: tag, err: err}
	}
	lost := errors.New("lost")
	gaps := gapsOf([]record{at(0, 1, nil), at(10, 1, lost), at(12, 7, nil), at(15, 2, nil), at(20, 7, lost)}, map[int]bool{1: true, 2: true})
	require.Equal(t, []time.Duration{5 * time.Millisecond}, gaps)
}

func TestCallsAreCountedWhereTheNodeIsStillThere(t *testing.T) {
	found := calls.FindAllStringSubmatch("# Commandstats\r\n"+
		"cmdstat_cluster|slots:calls=7,usec=90,usec_per_call=12.86,rejected_calls=0,failed_calls=0\r\n"+
		"cmdstat_exists:calls=1,usec=2,usec_per_call=2.00,rejected_calls=5,failed_calls=0\r\n", -1)
	require.Equal(t, [][]string{{"cluster|slots", "7", "0"}, {"exists", "1", "5"}}, [][]string{found[0][1:], found[1][1:]})

	alive, killed := new(realcluster.Node), new(realcluster.Node)
	before := counts{alive: {"exists": 3}, killed: {"exists": 100}}
	require.Equal(t, 4, since(before, counts{alive: {"exists": 7}}, "exists"))
}

func TestConnectionsToANodeGoThroughItsFront(t *testing.T) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		return l
	}
	node, front := listen().Addr().String(), listen().Addr().String()
	way := &detour{by: map[string]string{node: front}}
	for direct, led := range map[bool]string{false: front, true: node} {
		way.direct.Store(direct)
		conn, err := way.dial(t.Context(), "tcp", node)
		require.NoError(t, err)
		require.Equal(t, led, conn.RemoteAddr().String())
		require.NoError(t, conn.Close())
	}
}

func TestNothingMeasuredIsNoTargetMet(t *testing.T) {
	require.NoError(t, (&bench{kills: 1, runs: 1, rate: 1}).check())
	for _, b := range []bench{{runs: 5, rate: 4000}, {kills: 20, rate: 4000}, {kills: 20, runs: 5}} {
		require.Error(t, b.check())
	}
}

func TestAMissedTargetIsMissed(t *testing.T) {
	b := new(bench)
	b.note("kill", "kills", 20, "")
	b.atMost("kill", "max", 250, 250, "ms")
	require.True(t, b.rows[1].Met)
	b.atMost("kill", "max", 250.1, 250, "ms")
	met, err := b.report()
	require.NoError(t, err)
	require.False(t, met)
}
