package keyslot

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkRoute is what it costs to find a command's keys, slot and node.
func BenchmarkRoute(b *testing.B) {
	v, err := parseView(infoReply("ok", 6), bigReply(84), dialed, t0)
	require.NoError(b, err)
	core, err := newCore(Options{Endpoints: []string{"127.0.0.1:1"}, Lazy: true})
	require.NoError(b, err)
	defer core.close()
	core.settleOn([]*view{v}, 1, false)
	call := newCall(core)
	for _, key := range []string{"user:1234567", "{user:1234567}:profile"} {
		b.Run(fmt.Sprint(len(key)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call.Request.Reset()
				call.Request.Arg("GET")
				call.Request.Key(key)
				call.node = nil
				if call.check() != nil {
					b.Fatal("refused")
				}
				if _, err := call.plan(); err != nil || core.route(call, nil) != nil {
					b.Fatal("not routed")
				}
			}
		})
	}
}
