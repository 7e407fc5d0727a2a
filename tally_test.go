package keyslot

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// come lets a node come to a pool, as a map lists it, and be connected to.
func come(p *pool, addr int, now time.Time) *node {
	info := &Node{ID: fmt.Sprint("id", addr), Host: "10.0.0.1", Port: addr}
	n := p.reconcile([]*Node{info}, now)[0]
	p.tallies.count(n, countDialled)
	return n
}

func TestRowsOfNodesThatLeftAreBoundedAndNothingIsLost(t *testing.T) {
	p := newPool(1, nil)
	now := time.Now()
	for i := range maxDeparted + 100 {
		now = now.Add(time.Minute)
		come(p, 1+i, now)
	}
	k := p.takeStock()
	require.Len(t, k.rows, maxDeparted+1)
	require.EqualValues(t, 99, k.elsewhere.Dials, "the oldest have lost their rows")
	var total int64
	for _, row := range k.rows {
		total += row.Dials
		require.Greater(t, row.Node.Port, 99)
	}
	require.EqualValues(t, maxDeparted+100, total+k.elsewhere.Dials)
}

func TestANodeThatComesBackGoesOnWithItsRow(t *testing.T) {
	p := newPool(1, nil)
	now := time.Now()
	first := come(p, 1, now)
	come(p, 2, now.Add(time.Minute))
	p.tallies.count(first, countMoved) // a last answer on a connection that is drained
	come(p, 1, now.Add(2*time.Minute))
	k := p.takeStock()
	require.Len(t, k.rows, 2)
	for _, row := range k.rows {
		if row.Node.Port == 1 {
			require.EqualValues(t, 2, row.Dials)
			require.EqualValues(t, 1, row.Moved)
		}
	}
}

func TestANodeThatWasNeverConnectedToLeavesNoRow(t *testing.T) {
	p := newPool(1, nil)
	now := time.Now()
	for i := range 100 {
		n := p.reconcile([]*Node{{ID: fmt.Sprint("id", i), Host: "10.0.0.1", Port: 1 + i}}, now.Add(time.Duration(i)*time.Minute))[0]
		p.tallies.count(n, countDialFailed)
	}
	k := p.takeStock()
	require.Len(t, k.rows, 1)
	require.EqualValues(t, 99, k.elsewhere.DialsFailed)
	late := p.stranger(Node{Host: "10.0.0.2", Port: 1}, now)
	p.tallies.leave(late, now)
	p.tallies.count(late, countDialled) // the dial ended after it had left
	require.Len(t, p.takeStock().rows, 1)
}

func TestReasonsForRefreshesAreBounded(t *testing.T) {
	p := newPool(1, nil)
	for i := range 2 * maxTriggers {
		p.tallies.countRefresh(fmt.Sprint("reason ", i), i%2 == 0)
	}
	k := p.takeStock()
	require.Len(t, k.refreshes, maxTriggers+1)
	require.EqualValues(t, maxTriggers, k.refreshes[otherReason])
	require.EqualValues(t, maxTriggers/2, k.failed[otherReason])
}

func TestEveryReasonToRetryIsCountedByItsName(t *testing.T) {
	for i, reason := range retryReasons {
		require.Equal(t, countRetried+counter(i), retriedFor(reason))
	}
	require.Equal(t, retriedFor(otherReason), retriedFor("SOMETHING"))
	for _, r := range refusals { // whatever is sent again has a name of its own
		if r.verdict.action != finish {
			require.NotEqual(t, retriedFor(otherReason), retriedFor(r.code), r.code)
		}
	}
}
