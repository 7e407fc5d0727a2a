package proxy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
)

func TestStrandedConnectionsLeadNowhereForEver(t *testing.T) {
	t.Parallel()
	front := begin(t)
	old, other := greeted(t, front.Addr()), dial(t, front.Addr(), "*1\r\n$4\r\nPING\r\n")
	other.gets("*1\r\n$4\r\nPING\r\n")

	require.Equal(t, 1, front.Strand())
	old.send("lost")
	old.hearsNothing()
	set(t, front, proxy.Fault{})
	old.hearsNothing()
	other.send("a server's")
	other.gets("a server's")
	fresh := greeted(t, front.Addr())
	fresh.send("kept")
	fresh.gets("kept")
}
