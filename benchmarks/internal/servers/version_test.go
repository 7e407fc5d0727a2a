package servers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func TestServersSayWhichTheyAre(t *testing.T) {
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		cluster := realcluster.Start(t, realcluster.Options{Engine: e.Name})
		version, err := servers.AskVersion(t.Context(), cluster.Addrs()[0])
		require.NoError(t, err)
		require.Equal(t, e.Name+"-server "+e.Version, version)
	})
}
