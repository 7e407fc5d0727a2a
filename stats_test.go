package keyslot_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// statsOf returns the row of an address.
func statsOf(t *testing.T, s keyslot.Stats, addr string) keyslot.NodeStats {
	t.Helper()
	for _, n := range s.Nodes {
		if n.Node.Addr() == addr {
			return n
		}
	}
	require.Failf(t, "no row", "%s in %+v", addr, s.Nodes)
	return keyslot.NodeStats{}
}

func TestStatsCountCommandsByNode(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		before := s.client.Stats()
		require.Len(t, before.Nodes, 2)
		require.Equal(t, "primary", statsOf(t, before, lower).Role)
		require.Zero(t, statsOf(t, before, upper).Conns, "nothing is dialled until it is needed")
		for range 300 {
			require.NoError(t, s.client.Set(t.Context(), low, "v"))
		}
		now := s.client.Stats()
		at := statsOf(t, now, lower)
		require.EqualValues(t, 300, at.Commands-statsOf(t, before, lower).Commands)
		require.Equal(t, 1, at.Conns)
		require.Zero(t, at.InFlight)
		require.Positive(t, at.BytesRead)
		require.Greater(t, at.BytesWritten, int64(300*len("*3\r\n$3\r\nSET\r\n")))
		require.EqualValues(t, 1, now.Elsewhere.Dials, "that of New to the endpoint, before it was known who answers there")
		require.EqualValues(t, 3, now.Elsewhere.Commands, "MYID, INFO and SLOTS")
		require.Equal(t, map[string]int64{"first map": 1}, now.Refreshes)
		require.Empty(t, now.RefreshesFailed)
		require.EqualValues(t, 1, now.Epoch)

		s.lower.Cut(fakenode.RST) // what the connection was used for stays
		time.Sleep(time.Second)
		synctest.Wait()
		at = statsOf(t, s.client.Stats(), lower)
		require.EqualValues(t, 300, at.Commands-statsOf(t, before, lower).Commands)
		require.Zero(t, at.Conns)
	})
}

func TestStatsCountRedirectsRetriesAndDials(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-ASK 866 %s", upper), says("-MOVED 866 %s", upper), ok)
		s.upper.On("SET", ok, says("-TRYAGAIN Multiple keys request during rehashing of slot"), ok)
		for range 2 {
			require.NoError(t, s.client.Set(t.Context(), low, "v"))
		}
		now := s.client.Stats()
		from, to := statsOf(t, now, lower), statsOf(t, now, upper)
		require.EqualValues(t, 1, from.Moved)
		require.EqualValues(t, 1, from.Asked)
		require.Empty(t, from.Retries)
		require.Equal(t, map[string]int64{"TRYAGAIN": 1}, to.Retries)
		require.EqualValues(t, 1, to.Dials)
		require.Zero(t, to.DialsFailed)
	})
}

func TestStatsTellOfANodeThatCannotBeDialled(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("SET", ok)
		s.upper.On("HELLO", reset)
		require.Error(t, s.client.Set(within(t, time.Second), up, "v"))
		at := statsOf(t, s.client.Stats(), upper)
		require.Equal(t, "hello", at.DialError)
		require.True(t, at.NextDial.After(s.began))
		require.Positive(t, at.DialsFailed)
		require.Zero(t, at.Dials)
		require.Positive(t, at.Retries["dial"])

		s.upper.On("HELLO", fakenode.Reaction{Send: fakenode.Hello})
		require.NoError(t, s.client.Set(t.Context(), up, "v"))
		at = statsOf(t, s.client.Stats(), upper)
		require.Empty(t, at.DialError, "a connection serves")
		require.Zero(t, at.NextDial)
		require.EqualValues(t, 1, at.Dials)
	})
}

func TestStatsTellOfANodeThatIsSilent(t *testing.T) {
	story(t, keyslot.Options{PeerTimeout: 5 * time.Second}, func(t *testing.T, s *stage) {
		s.lower.On("GET", stuck(), value)
		owed := make(chan error, 1)
		go func() { _, err := s.client.Get(within(t, 4*time.Second), low); owed <- err }() // ends with the test's patience
		synctest.Wait()
		require.Equal(t, 1, statsOf(t, s.client.Stats(), lower).Busy)
		require.False(t, statsOf(t, s.client.Stats(), lower).Silent)
		time.Sleep(time.Second)
		synctest.Wait()
		require.True(t, statsOf(t, s.client.Stats(), lower).Silent)
		<-owed
	})
}

// Redirects to addresses that nobody has must not fill the memory of those who count.
func TestAddressesThatOnlyRedirectsNameHaveNoRow(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-ASK 866 10.0.0.9:1"))
		require.Error(t, s.client.Set(within(t, time.Second), low, "v"))
		now := s.client.Stats()
		require.Len(t, now.Nodes, 2)
		require.Positive(t, now.Elsewhere.DialsFailed)
		require.Positive(t, now.Elsewhere.Retries["dial"])
	})
}

func TestANodeThatLeftKeepsItsRow(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 2, Replicas: 1}, keyslot.Options{RefreshAfter: 50 * time.Millisecond})
	gone := cluster.Owner("user:1")
	require.NoError(t, client.Set(t.Context(), "user:1", "ann"))
	before := statsOf(t, client.Stats(), gone.Addr)
	require.Equal(t, gone.ID, before.Node.ID)
	require.Equal(t, "primary", before.Role)
	require.NoError(t, cluster.MoveSlots(t.Context(), gone.ID, other(cluster, "user:1").ID, keyslot.Slot("user:1")))
	_, err := client.Get(t.Context(), "user:1")
	require.NoError(t, err)
	require.NoError(t, cluster.RemoveShard(t.Context(), gone.ID))
	becomes(t, 10*time.Second, func() bool {
		_, err := client.Get(t.Context(), "user:1")
		require.NoError(t, err)
		return statsOf(t, client.Stats(), gone.Addr).Role == "" && statsOf(t, client.Stats(), gone.Addr).Conns == 0
	})
	after := statsOf(t, client.Stats(), gone.Addr)
	require.GreaterOrEqual(t, after.Commands, before.Commands+1)
	require.Equal(t, gone.ID, after.Node.ID)
	require.EqualValues(t, 1, after.Moved)
}

func TestStatsNeverFallWhileEverythingHappens(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	total := func() (commands int64) {
		s := client.Stats()
		for _, n := range s.Nodes {
			commands += n.Commands
		}
		return commands + s.Elsewhere.Commands
	}
	var load sync.WaitGroup
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop); load.Wait() })
	defer end()
	for i := range 4 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					_ = client.Set(t.Context(), string(rune('a'+(i*100+n)%26)), "v")
				}
			}
		})
	}
	last := total()
	for range 3 {
		shard, err := cluster.AddShard()
		require.NoError(t, err)
		require.NoError(t, cluster.RemoveShard(t.Context(), shard.Primary.ID))
		for range 50 {
			now := total()
			require.GreaterOrEqual(t, now, last)
			last = now
		}
	}
	end()
	client.Close()
	require.GreaterOrEqual(t, total(), last, "also when it is closed")
}

func TestStatsOfALazyClient(t *testing.T) {
	client := connect(t, keyslot.Options{Endpoints: []string{"127.0.0.1:1"}, Lazy: true})
	s := client.Stats()
	require.Empty(t, s.Nodes)
	require.Zero(t, s.MapAge)
}
