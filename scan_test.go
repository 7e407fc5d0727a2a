package keyslot_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // an id
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestScanYieldsTheKeysOfAllNodes(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Replicas: 1}, keyslot.Options{})
	users := fill(t, client, "user:", 500)
	other := fill(t, client, "other:", 100)
	_, err := client.Do(t.Context(), "SADD", "user:set", "a")
	require.NoError(t, err)

	all := scanned(t, client, "", keyslot.PageSize(7))
	require.Len(t, all, 601)
	require.Empty(t, missing(append(users, other...), all))
	matched := scanned(t, client, "user:*")
	require.Len(t, matched, 501)
	require.Empty(t, missing(users, matched))
	require.Equal(t, map[string]int{"user:set": 1}, scanned(t, client, "user:*", keyslot.OfType("set")))
	require.Equal(t, map[string]int{"user:7": 1}, scanned(t, client, "user:7"))
	require.Empty(t, scanned(t, client, "{nobody}*"))
}

func TestScanOfOnePrimaryYieldsTheKeysOfItsSlots(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Replicas: 1}, keyslot.Options{})
	fill(t, client, "user:", 300)
	total := 0
	for _, shard := range client.Topology().Shards {
		seen := scanned(t, client, "", keyslot.OwnedBy(shard.Primary.ID))
		for key := range seen {
			require.True(t, slices.ContainsFunc(shard.Slots, func(r keyslot.SlotRange) bool {
				return r.First <= keyslot.Slot(key) && keyslot.Slot(key) <= r.Last
			}), key)
		}
		require.Equal(t, seen, scanned(t, client, "user:*", keyslot.OwnedBy(shard.Primary.Addr())))
		total += len(seen)
		require.Empty(t, scanned(t, client, "", keyslot.OwnedBy(shard.Replicas[0].ID)))
	}
	require.Equal(t, 300, total)
	for _, err := range client.Scan(t.Context(), "", keyslot.OwnedBy("nobody")) {
		require.ErrorIs(t, err, keyslot.ErrUnknownNode)
	}
}

// disturb scans with one key a page, and calls do once after so many keys.
func disturb(t *testing.T, client *keyslot.Client, after int, do func()) map[string]int {
	t.Helper()
	seen := map[string]int{}
	yielded := 0
	for key, err := range client.Scan(t.Context(), "", keyslot.PageSize(1)) {
		require.NoError(t, err)
		seen[key]++
		if yielded++; yielded == after {
			do()
		}
	}
	return seen
}

// slotsOf returns the slots that a primary owns, from the lowest.
func slotsOf(cluster *keyslottest.Cluster, id string) (slots []uint16) {
	for _, shard := range cluster.Shards() {
		for _, r := range shard.Slots {
			for slot := int(r.First); slot <= int(r.Last) && shard.Primary.ID == id; slot++ {
				slots = append(slots, uint16(slot))
			}
		}
	}
	return slots
}

func TestScanFollowsSlotsToANodeThatWasWalkedAlready(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	keys := fill(t, client, "key:", 300)
	first, last := cluster.Shards()[0].Primary.ID, cluster.Shards()[2].Primary.ID
	moving := slotsOf(cluster, last)
	seen := disturb(t, client, 150, func() { // in the midst of the second node
		require.NoError(t, cluster.MoveSlots(t.Context(), last, first, moving[:len(moving)/2]...))
	})
	require.Empty(t, missing(keys, seen))
}

// A migration that nobody ends leaves a slot's keys on two nodes.
func TestScanSeesTheKeysOfASlotHalfMigrated(t *testing.T) {
	for _, way := range [][2]int{{0, 2}, {2, 0}} { // the target is walked later, or was walked before
		cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
		keys := fill(t, client, "key:", 200)
		from, to := cluster.Shards()[way[0]].Primary.ID, cluster.Shards()[way[1]].Primary.ID
		var slots []uint16
		for _, key := range keys {
			if cluster.Owner(key).ID == from {
				slots = append(slots, keyslot.Slot(key))
			}
		}
		slot := slots[len(slots)/2]
		keys = append(keys, fill(t, client, fmt.Sprintf("{%s}", tagOf(keys, slot)), 20)...)
		m, err := cluster.Migrate(slot, to)
		require.NoError(t, err)
		seen := disturb(t, client, 10, func() { require.Equal(t, 10, m.MoveKeys(10)) })
		require.Empty(t, missing(keys, seen), "%v", way)
		require.Empty(t, missing(keys, scanned(t, client, "")), "%v", way)
	}
}

// tagOf returns one of the keys in a slot: as a hash tag it leads there too.
func tagOf(keys []string, slot uint16) string {
	return keys[slices.IndexFunc(keys, func(key string) bool { return keyslot.Slot(key) == slot })]
}

func TestScanWalksTheSuccessorOfAPrimary(t *testing.T) {
	for _, stop := range []bool{false, true} {
		cluster, client := begin(t, keyslottest.Options{Replicas: 1}, keyslot.Options{})
		keys := fill(t, client, "key:", 300)
		second := cluster.Shards()[1]
		seen := disturb(t, client, 150, func() {
			if stop {
				require.NoError(t, cluster.Stop(second.Primary.ID))
			}
			require.NoError(t, cluster.Failover(second.Replicas[0].ID))
		})
		require.Empty(t, missing(keys, seen))
	}
}

// A page that is about to be asked for again when the map changes is not asked for where nobody may answer any more.
func TestScanWaitsForNoDialToAPrimaryThatIsReplaced(t *testing.T) {
	for range 20 { // the page is either in a pause or being dialled for
		failover(t, keyslot.Options{DialTimeout: 4 * time.Second}, func(t *testing.T, s *stage, client *keyslot.Client) {
			for _, node := range []*fakenode.Node{s.upper, s.spare} {
				node.On("SCAN", fakenode.Reaction{Send: "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"})
			}
			s.lower.Close()
			time.AfterFunc(time.Second, func() {
				s.net.BlackHole(lower)
				shards(s, 3, spare, lower)
			})
			for _, err := range client.Scan(t.Context(), "") {
				require.NoError(t, err)
			}
			require.LessOrEqual(t, time.Since(s.began), time.Second+700*time.Millisecond, "a look, a refresh at its pace, and a pause of the scan")
		})
	}
}

func TestScanEndsWithItsCaller(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	fill(t, client, "key:", 100)
	for range client.Scan(t.Context(), "") {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range client.Scan(ctx, "", keyslot.PageSize(1)) {
		cancel()
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	require.ErrorIs(t, last, keyslot.ErrNotExecuted)
	require.ErrorIs(t, last, keyslot.ErrRetryable)
	require.ErrorAs(t, last, new(*keyslot.Error))

	require.NoError(t, cluster.DeleteSlots(77))
	for _, err := range client.Timeout(300*time.Millisecond).Scan(t.Context(), "") {
		last = err
	}
	require.ErrorIs(t, last, context.DeadlineExceeded)
	require.ErrorIs(t, last, keyslot.ErrNotExecuted)
	require.ErrorIs(t, last, keyslot.ErrRetryable)
	for range 2 { // in the midst of one, and before one
		for _, err := range client.Scan(t.Context(), "", keyslot.PageSize(1)) {
			require.NoError(t, client.Close())
			last = err
		}
		require.ErrorIs(t, last, keyslot.ErrClosed)
		require.ErrorIs(t, last, keyslot.ErrNotExecuted)
		require.NotErrorIs(t, last, keyslot.ErrRetryable)
	}
}

// keysOf answers SCAN with one page of keys, and the cursor of the next.
func keysOf(cursor string, keys ...string) fakenode.Reaction {
	var b strings.Builder
	fmt.Fprintf(&b, "*2\r\n$%d\r\n%s\r\n*%d\r\n", len(cursor), cursor, len(keys))
	for _, key := range keys {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(key), key)
	}
	return fakenode.Reaction{Send: b.String()}
}

// text answers with a bulk string.
func text(s string) fakenode.Reaction {
	return fakenode.Reaction{Send: fmt.Sprintf("$%d\r\n%s\r\n", len(s), s)}
}

func TestAPatternWithAHashTagIsAskedOfOneNode(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SCAN", keysOf("0"))
		s.upper.On("SCAN", keysOf("0"))
		for pattern, nodes := range map[string]int{
			"{" + low + "}*": 1, low: 1, "a{" + low + "}[xy]": 1, // in one slot
			"*{" + low + "}": 2, "{}*": 2, "{" + low + "*": 2, "{a*}": 2, "": 2, "\\{x}*": 2, "?": 2,
		} {
			before := len(sent(s.lower, "SCAN")) + len(sent(s.upper, "SCAN"))
			require.Empty(t, scanned(t, s.client, pattern))
			require.Equal(t, before+nodes, len(sent(s.lower, "SCAN"))+len(sent(s.upper, "SCAN")), pattern)
		}
	})
}

// A restarted server hashes otherwise: the cursor that the old process gave leads nowhere.
func TestScanBeginsAnewWhereAServerWasRestarted(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("SCAN", keysOf("0"))
		s.lower.On("SCAN", keysOf("7", low), keysOf("0"), keysOf("0", low))
		s.lower.On("INFO", text("# Server\r\nrun_id:one\r\n"), text("# Server\r\nrun_id:two\r\n"))
		require.Equal(t, map[string]int{low: 2}, scanned(t, s.client, ""))
		require.Len(t, sent(s.lower, "SCAN"), 3)
	})
}

func TestScanWithoutClusterNodesGoesByTheMap(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.On("CLUSTER NODES", says("-NOPERM User app has no permissions to run the 'cluster|nodes' command"))
			node.On("INFO", says("-NOPERM User app has no permissions to run the 'info' command"))
		}
		s.lower.On("SCAN", keysOf("7", low), keysOf("0", up)) // up is not lower's
		s.upper.On("SCAN", keysOf("0", up))
		require.Equal(t, map[string]int{low: 1, up: 1}, scanned(t, s.client, ""))
	})
}

func TestScanOfANodeThatAnswersNonsenseFails(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, reply := range []string{
			"+OK\r\n", "*0\r\n", "*1\r\n$1\r\n0\r\n", "*2\r\n$1\r\nx\r\n*0\r\n", "*2\r\n$1\r\n0\r\n:1\r\n", "*2\r\n*0\r\n*0\r\n",
			"*2\r\n$1\r\n0\r\n*1\r\n*0\r\n", "*2\r\n$1\r\n0\r\n*1\r\n$-1\r\n", "$-1\r\n",
		} {
			s.lower.On("SCAN", fakenode.Reaction{Send: reply})
			var last error
			for key, err := range s.client.Scan(t.Context(), "") {
				require.Empty(t, key)
				last = err
			}
			require.ErrorAs(t, last, new(*command.TypeError), "%q", reply)
		}
		s.lower.On("SCAN", says("-ERR syntax error"))
		for _, err := range s.client.Scan(t.Context(), "") {
			require.ErrorAs(t, err, new(keyslot.ServerError))
		}
		s.lower.On("SCAN", keysOf("0"))
		for _, nodes := range []string{
			"", "\n",
			"id 10.0.0.1:1@2 myself,master",
			"id 10.0.0.1:1@2 myself,master - 0 0 1 connected 0-16384",
			"id a myself,master - 0 0 1 connected [1-<x",
		} {
			s.lower.On("CLUSTER NODES", text(nodes))
			for _, err := range s.client.Scan(t.Context(), "") {
				require.ErrorAs(t, err, new(*command.TypeError), "%q", nodes)
			}
		}
		s.lower.On("CLUSTER NODES", says("-ERR unknown"))
		endless := keysOf("5")
		endless.Delay = time.Millisecond
		s.lower.On("SCAN", endless)
		var last error
		for _, err := range s.client.Scan(within(t, 50*time.Millisecond), "") {
			last = err
		}
		require.True(t, errors.Is(last, context.DeadlineExceeded), "%v", last)
	})
}

// holds answers CLUSTER NODES: which slots a node says that it has.
func holds(addr, epoch, slots string) fakenode.Reaction {
	return text(fmt.Sprintf("%x %s@16379 myself,master - 0 0 %s connected %s\n", sha1.Sum([]byte(addr)), addr, epoch, slots))
}

// motion marks a slot in CLUSTER NODES: "->-" to a node, "-<-" from it.
func motion(slot uint16, arrow, addr string) string {
	return fmt.Sprintf(" [%d%s%x]", slot, arrow, sha1.Sum([]byte(addr)))
}

// The cursor passed the keys while they were not there.
func TestScanIsNotFooledByASlotThatComesBack(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("CLUSTER NODES", holds(lower, "1", "0-8191"), holds(lower, "1", "0-865 867-8191"), holds(lower, "3", "0-8191"))
		s.lower.On("SCAN", keysOf("7"), keysOf("9"), keysOf("0"), keysOf("0", low))
		s.upper.On("SCAN", keysOf("0"))
		require.Equal(t, map[string]int{low: 1}, scanned(t, s.client, ""))
	})
}

// The slot of low stays on its way from the lower node to the upper one.
func TestScanOfASlotOnItsWay(t *testing.T) {
	leaves, comes := "0-8191"+motion(866, "->-", upper), "8192-16383"+motion(866, "-<-", lower)
	others := "{" + low + "}" // a key of that slot which the target has by now
	type says = []fakenode.Reaction
	for name, tc := range map[string]struct {
		lower, upper []fakenode.Reaction
		walks        int // of the lower node
		want         map[string]int
	}{
		"source, then target": {
			lower: says{holds(lower, "1", leaves)}, upper: says{holds(upper, "2", comes)},
			walks: 1, want: map[string]int{low: 1, others: 1},
		},
		"the target does not take it": {
			lower: says{holds(lower, "1", leaves)}, upper: says{holds(upper, "2", "8192-16383")},
			walks: 1, want: map[string]int{low: 1},
		},
		"the source got it back between": {
			lower: says{holds(lower, "1", leaves), holds(lower, "3", leaves)}, upper: says{holds(upper, "2", comes)},
			walks: 2, want: map[string]int{low: 2, others: 2},
		},
		"the source called it off": {
			lower: says{holds(lower, "1", leaves), holds(lower, "1", "0-8191")},
			upper: says{holds(upper, "2", comes), holds(upper, "2", "8192-16383")},
			walks: 2, want: map[string]int{low: 2, others: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("CLUSTER NODES", tc.lower...)
				s.upper.On("CLUSTER NODES", tc.upper...)
				s.lower.On("SCAN", keysOf("0", low))
				s.upper.On("SCAN", keysOf("0", others))
				require.Equal(t, tc.want, scanned(t, s.client, "{"+low+"}*"))
				require.Len(t, sent(s.lower, "SCAN"), tc.walks)
			})
		})
	}
}

func TestAScanThatCannotBeginHasNotRun(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range client.Scan(over, "*") {
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorIs(t, err, context.Canceled)
	}
	for _, err := range client.Scan(t.Context(), "*", keyslot.OwnedBy("nobody")) {
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorIs(t, err, keyslot.ErrUnknownNode)
	}
	for _, err := range client.Scan(t.Context(), "*", nil) {
		require.ErrorAs(t, err, new(*keyslot.ArgumentError))
	}
}
