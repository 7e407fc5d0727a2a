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
