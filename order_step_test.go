package keyslot

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Without cluster mode all commands of a pipeline are of one step, and half of them may be refused where the others
// run: writes, for want of replicas. To compare each with each took 0.6 s.
func BenchmarkOvertaking10000(b *testing.B) {
	m := installed(1, "a:0-16383")
	m.kind = standalone
	c, err := newCore(Options{Endpoints: []string{"a"}})
	require.NoError(b, err)
	c.routes.Store(&routes{slotMap: m, nodes: []*node{new(node)}})
	calls := make([]*call, 10000)
	for i := range calls {
		calls[i] = newCall(c)
		calls[i].encode([]any{"SET", fmt.Sprintf("user:%08d", i), "v"})
		require.NoError(b, calls[i].check())
		_, err := calls[i].plan()
		require.NoError(b, err)
	}
	for b.Loop() {
		var o overtaking
		for i, call := range calls {
			o.judged(call, i < len(calls)/2)
		}
		require.False(b, o.found)
	}
}
