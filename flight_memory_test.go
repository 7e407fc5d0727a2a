package keyslot_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// A large reply that came with the second of three attempts is not kept with the memory for the next pipelines.
func TestALargeReplyToARedirectedCommandIsNotKept(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const size = 64 << 20
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "GET" && r.Args[1] == up {
				return fakenode.Reaction{Send: bulk(size)}, true
			}
			return fakenode.Reaction{}, false
		})
		s.lower.On("GET", says("-MOVED 866 %s", upper), value)
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "GET" && r.Args[1] == low {
				return says("-MOVED 866 %s", lower), true
			}
			return says("-MOVED 12182 %s", lower), r.Name() == "GET"
		})
		run := func(keys ...string) {
			p := s.client.Pipeline()
			for _, key := range keys {
				p.Get(key)
			}
			require.NoError(t, p.Exec(t.Context()))
		}
		before := heldMemory()
		run(low, up)
		synctest.Wait()
		require.Less(t, heldMemory()-before, int64(size/2))
	})
}

// What is read behind a large reply may come into the memory that was made for it.
func TestAValueDoesNotKeepTheMemoryOfTheOneBefore(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const size, less = 32 << 20, 300 << 10
		s.lower.On("GET", fakenode.Reaction{Send: bulk(size) + bulk(less)}, fakenode.Reaction{})
		before := heldMemory()
		value := func() string { // for the futures of both are kept together
			p := s.client.Pipeline()
			p.Get(low)
			last := p.Get(low)
			require.NoError(t, p.Exec(t.Context()))
			return valueOf(t, last)
		}()
		synctest.Wait()
		require.Less(t, heldMemory()-before, int64(size/2))
		require.Len(t, value, less)
	})
}

func TestAClientKeepsNothingOfALargeRequest(t *testing.T) {
	cluster := startFixedCluster(t, 1)
	client := connect(t, keyslot.Options{Endpoints: []string{cluster.addr()}})
	const size = 32 << 20
	before := heldMemory()
	require.NoError(t, client.Set(t.Context(), low, strings.Repeat("x", size)))
	cluster.close() // it has the value, and so may the connections
	require.NoError(t, client.Close())
	require.Less(t, heldMemory()-before, int64(size/2))
	runtime.KeepAlive(client)
}

func TestAClientKeepsNothingOfAReplyThatWasCutOff(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const size = 32 << 20
		s.lower.On("INCR", one, fakenode.Reaction{Send: bulk(size)[:size-100], End: fakenode.FIN}, one)
		before := heldMemory()
		for range 2 {
			_, _ = s.client.Incr(t.Context(), low)
		}
		synctest.Wait()
		require.Less(t, heldMemory()-before, int64(size/2))
	})
}

func TestAPipelineKeepsNoLargeValues(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const size = 32 << 20
		s.lower.On("GET", fakenode.Reaction{Send: bulk(size)})
		s.lower.On("MGET", fakenode.Reaction{Send: "*1\r\n" + bulk(size)})
		s.upper.On("MGET", says("*1\r\n_"))
		p := s.client.Pipeline()
		before := heldMemory()
		p.Get(low)
		p.MGet(low, up)
		require.NoError(t, p.Exec(t.Context()))
		synctest.Wait()
		require.Less(t, heldMemory()-before, int64(size/2))
		runtime.KeepAlive(p)
	})
}

// heldMemory returns how many bytes are in use; what pools have is among them.
func heldMemory() int64 {
	var stats runtime.MemStats
	runtime.GC() // once: what a pool has survives it
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
