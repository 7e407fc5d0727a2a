package keyslot_test

import (
	"runtime"
	"testing"

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
		require.Less(t, heldMemory()-before, int64(size/2))
	})
}

// heldMemory returns how many bytes are in use; what pools have is among them.
func heldMemory() int64 {
	var stats runtime.MemStats
	runtime.GC() // once: what a pool has survives it
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
