package keyslot

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func TestOversizedArgumentIsFoundByItsPosition(t *testing.T) {
	var r resp.Request
	r.Arg("SET")
	r.Key("k")
	r.Arg("12345678")
	require.Equal(t, -1, oversized(&r, 1000))
	require.Equal(t, -1, oversized(&r, 8), "a long request of short arguments")
	require.Equal(t, 2, oversized(&r, 7))
}

// A batch walks over many of them; see "A batch is as fast as the memory it touches" in DESIGN.md.
func TestACallFillsFourCacheLines(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(call{}), uintptr(4*64))
}

// The memory of requests may be huge, and is their flight's to keep or to drop. Higher places of a slab are seldom used again.
func TestCallsThatAreGivenBackKeepNoRequests(t *testing.T) {
	c, err := newCore(Options{Endpoints: []string{"a"}})
	require.NoError(t, err)
	f := c.flight()
	for range slabSize {
		f.queue().Request.Arg("PING")
	}
	slab := f.slabs[0]
	f.release()
	for i := range slab.calls {
		require.Zero(t, slab.calls[i].Request)
	}
}
