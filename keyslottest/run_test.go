package keyslottest_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestRunEndsTheClusterWithTheTest(t *testing.T) {
	addr := ""
	t.Run("test", func(t *testing.T) {
		addr = keyslottest.Run(t, keyslottest.Options{Shards: 1}).Endpoint()
		connect(t, addr).want("+PONG", "PING")
	})
	_, err := net.Dial("tcp", addr)
	require.Error(t, err)
}

// failing is a test that notes how it failed, and goes on.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Fatalf(format string, args ...any) { f.why = fmt.Sprintf(format, args...) }

func TestRunFailsATestWithoutACluster(t *testing.T) {
	f := &failing{TB: t}
	require.Nil(t, keyslottest.Run(f, keyslottest.Options{Shards: -1}))
	require.Contains(t, f.why, "-1 shards")
}
