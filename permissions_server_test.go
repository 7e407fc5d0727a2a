package keyslot_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// All that a client asks of its own accord, but CLUSTER SLOTS, may be forbidden to its user: it comes over a
// failover all the same.
func TestWhateverIsForbiddenADeadPrimaryIsLeft(t *testing.T) {
	forbidden := []string{"role", "exists", "cluster|info", "cluster|myid", "client", "ping", "hello", "info"}
	var opts realcluster.Options
	user := func(command string) string { return "no-" + strings.ReplaceAll(command, "|", "-") }
	opts.Password = "s3cret"
	for _, command := range forbidden {
		opts.ACL = append(opts.ACL, user(command)+" on >secret ~* &* +@all -"+command)
	}
	onEngines(t, opts, func(t *testing.T, cluster *realcluster.Cluster) {
		clients := make(map[string]*keyslot.Client)
		for _, command := range forbidden {
			clients[command] = connect(t, keyslot.Options{
				Endpoints: cluster.Addrs(), Username: user(command), Password: "secret", CommandTimeout: 20 * time.Second,
			})
			_, err := clients[command].Incr(t.Context(), "k")
			require.NoError(t, err, command)
		}
		primary, err := cluster.Primary(t.Context(), int(keyslot.Slot("k")))
		require.NoError(t, err)
		require.NoError(t, primary.Kill())
		began := time.Now()
		var callers sync.WaitGroup
		for command, client := range clients {
			callers.Go(func() {
				_, err := client.Incr(t.Context(), "k")
				assert.NoError(t, err, command)
				t.Logf("without %s: %v", command, time.Since(began))
			})
		}
		callers.Wait()
	})
}
