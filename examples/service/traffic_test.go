package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// traffic is visitors who use all parts of two services at once, and compare each answer with what they were told before.
type traffic struct {
	services [2]*running // that share a cluster and a database
	rounds   atomic.Int64
	stop     context.CancelFunc
	visitors sync.WaitGroup

	mu     sync.Mutex
	wrong  []string         // guarded by mu
	points map[string]int64 // guarded by mu; acknowledged, by region and player
}

const (
	visitors = 6
	regions  = 3
	some     = 20 // rounds, of 14 requests each
)

func startTraffic(t *testing.T, target string) *traffic {
	t.Helper()
	db, settings := quick(), patient()
	settings.cache.patience = 500 * time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	l := &traffic{stop: stop, points: map[string]int64{}}
	for i := range l.services {
		l.services[i] = start(t, target, db, settings)
	}
	for id := range visitors {
		l.visitors.Go(func() { // ends with stop
			for n := 0; ctx.Err() == nil; n++ {
				l.useSession(id, n)
				l.useCache(id, n)
				l.useBoard(id, n)
				l.rounds.Add(1)
			}
		})
	}
	t.Cleanup(func() { stop(); l.visitors.Wait() })
	return l
}

// want sends a request to one of the services and notes an answer that is not as it should be; an empty want is any.
func (l *traffic) want(n, status int, want, method, path, body string, header ...string) (answer string) {
	got, answer := l.services[n%2].ask(method, path, body, header...)
	if got != status || want != "" && want != answer {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wrong = append(l.wrong, fmt.Sprintf("%s %s: %d %s, and not %d %s", method, path, got, answer, status, want))
	}
	return answer
}

func (l *traffic) useSession(id, n int) {
	var created struct{ Token string }
	_ = json.Unmarshal([]byte(l.want(n, 201, "", "POST", "/session", fmt.Sprintf(`{"user":"visitor-%d"}`, id))), &created)
	session := "Authorization: Bearer " + created.Token
	data := fmt.Sprintf(`{"n":%d}`, n)
	l.want(n, 204, "", "PUT", "/session", data, session)
	var read struct{ Data json.RawMessage }
	_ = json.Unmarshal([]byte(l.want(n+1, 200, "", "GET", "/session", "", session)), &read)
	if string(read.Data) != data {
		l.mu.Lock()
		l.wrong = append(l.wrong, "a session holds "+string(read.Data)+" and not "+data)
		l.mu.Unlock()
	}
	l.want(n, 204, "", "POST", "/session/extend", "", session)
	l.want(n+1, 204, "", "DELETE", "/session", "", session)
	l.want(n, 404, "", "GET", "/session", "", session)
}

func (l *traffic) useCache(id, n int) {
	path, product := fmt.Sprintf("/products/of-%d", id), fmt.Sprintf(`{"name":"anvil","cents":%d}`, n)
	l.want(n, 204, "", "PUT", path, product)
	l.want(n, 200, product+"\n", "GET", path, "")
	l.want(n+1, 200, product+"\n", "GET", path, "")
	l.want(n, 200, "{\"name\":\"bellows\",\"cents\":3800}\n", "GET", "/products/2", "")
	l.want(n, 404, "", "GET", fmt.Sprintf("/products/none-%d-%d", id, n), "")
}

func (l *traffic) useBoard(id, n int) {
	region, player := region(n), fmt.Sprintf("player-%d", id%4)
	points := int64(1 + n%7)
	var now standing
	body := fmt.Sprintf(`{"player":%q,"points":%d}`, player, points)
	_ = json.Unmarshal([]byte(l.want(n, 200, "", "POST", "/boards/"+region+"/scores", body)), &now)
	if now.Rank > 0 {
		l.mu.Lock()
		l.points[region+"/players/"+player] += points
		l.mu.Unlock()
	}
	l.want(n+1, 200, "", "GET", "/boards/"+region, "")
}

func region(n int) string { return fmt.Sprintf("region-%d", n%regions) }

// busyKeys are those whose slots are a nuisance when they move: the boards, and some products that are written.
func busyKeys() (keys []string) {
	for n := range regions {
		entry, _ := productKeys(fmt.Sprintf("of-%d", n))
		keys = append(keys, boardKey(region(n)), entry)
	}
	return keys
}

// goesOn waits until all visitors together have made some more rounds.
func (l *traffic) goesOn(t *testing.T) {
	t.Helper()
	from := l.rounds.Load()
	require.Eventually(t, func() bool { return l.rounds.Load() >= from+some }, 60*time.Second, time.Millisecond)
}

// check ends the traffic. Nothing may have gone wrong, and every point that was acknowledged is there, once.
func (l *traffic) check(t *testing.T) {
	t.Helper()
	l.stop()
	l.visitors.Wait()
	require.Empty(t, l.wrong)
	for _, s := range l.services {
		require.Positive(t, s.redirects.Load(), "none was in the way of what moved")
	}
	require.Len(t, l.points, 4*regions)
	for where, points := range l.points {
		status, answer := l.services[0].ask("GET", "/boards/"+where, "")
		require.Equal(t, 200, status, answer)
		var now standing
		require.NoError(t, json.Unmarshal([]byte(answer), &now))
		require.Equal(t, points, now.Points, where)
	}
}

func TestNoRequestFailsWhileSlotsMoveAndPrimariesChange(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{Replicas: 1, StepPause: time.Millisecond})
	l := startTraffic(t, cluster.Endpoint())
	l.goesOn(t)
	added, err := cluster.AddShard()
	require.NoError(t, err)
	for _, key := range busyKeys() { // the slot moves key by key
		require.NoError(t, cluster.MoveSlots(t.Context(), cluster.Owner(key).ID, added.Primary.ID, keyslot.Slot(key)))
	}
	l.goesOn(t)
	for _, shard := range cluster.Shards() {
		require.NoError(t, cluster.Failover(shard.Replicas[0].ID))
	}
	l.goesOn(t)
	l.check(t)
}

func TestNoRequestFailsOnServersEither(t *testing.T) {
	t.Parallel()
	realcluster.ForEach(t, func(t *testing.T, engine realcluster.Engine) {
		t.Parallel()
		cluster := realcluster.Start(t, realcluster.Options{Engine: engine.Name, Primaries: 3, Replicas: 1})
		ctx := t.Context()
		l := startTraffic(t, cluster.Addrs()[0])
		l.goesOn(t)
		owners, err := cluster.Owners(ctx)
		require.NoError(t, err)
		for _, key := range busyKeys() {
			slot := int(keyslot.Slot(key))
			from, to := owners[slot], cluster.Node(0)
			if from == to {
				to = cluster.Node(1)
			}
			require.NoError(t, cluster.MoveSlot(ctx, slot, from, to, 50*time.Millisecond))
			require.NoError(t, cluster.WaitHealthy(ctx)) // before another node imports a slot, all have to know of this one
		}
		l.goesOn(t)
		replicas, err := cluster.ReplicasOf(ctx, int(keyslot.Slot(boardKey(region(0)))))
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		l.goesOn(t)
		l.check(t)
	})
}
