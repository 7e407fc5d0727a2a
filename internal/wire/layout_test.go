package wire

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// See "What every call changes stands together" in DESIGN.md.
func TestWhatEveryCallChangesFillsThreeCacheLines(t *testing.T) {
	var c Conn
	last := unsafe.Offsetof(c.fence) + unsafe.Offsetof(c.fence.suspect) + unsafe.Sizeof(c.fence.suspect)
	require.LessOrEqual(t, last, uintptr(3*64))
}
