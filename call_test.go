package keyslot

import (
	"testing"

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
