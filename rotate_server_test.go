package keyslot_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// everywhere runs a command on every node of a cluster.
func everywhere(t *testing.T, cluster *realcluster.Cluster, args ...string) (replies []string) {
	t.Helper()
	for _, node := range cluster.Nodes() {
		reply, err := cluster.Do(t.Context(), node, args...)
		require.NoError(t, err)
		replies = append(replies, reply)
	}
	return replies
}

// logins returns the ids of the connections of a user, of all nodes.
func logins(t *testing.T, cluster *realcluster.Cluster, user string) map[string]bool {
	ids := map[string]bool{}
	for i, list := range everywhere(t, cluster, "CLIENT", "LIST") {
		for line := range strings.Lines(list) {
			if strings.Contains(line, " user="+user+" ") {
				ids[cluster.Addrs()[i]+" "+strings.Fields(line)[0]] = true
			}
		}
	}
	return ids
}

// A password is changed as services do it: the new one is let in beside the old one, clients go over, and the old one ends.
func TestAPasswordIsReplacedUnderLoadAndNothingFails(t *testing.T) {
	onEngines(t, realcluster.Options{Password: "s3cret", ACL: []string{"app on >first ~* &* +@all"}}, func(t *testing.T, cluster *realcluster.Cluster) {
		var password atomic.Value
		password.Store("first")
		client := connect(t, keyslot.Options{
			Endpoints: cluster.Addrs()[:1], MaxConnAge: 2 * time.Second,
			Credentials: func(context.Context, keyslot.Node) (string, string, error) {
				return "app", password.Load().(string), nil
			},
		})
		l := startLoad(t, client)
		l.goesOn(t, 1000)
		before := logins(t, cluster, "app")

		everywhere(t, cluster, "ACL", "SETUSER", "app", ">second")
		password.Store("second")
		becomes(t, 20*time.Second, func() bool {
			for id := range logins(t, cluster, "app") {
				if before[id] {
					return false
				}
			}
			return true
		}, "all have logged in anew")
		everywhere(t, cluster, "ACL", "SETUSER", "app", "<first")
		for id := range before {
			addr, id, _ := strings.Cut(id, " id=")
			for _, node := range cluster.Nodes() {
				if node.Addr() == addr {
					reply, err := cluster.Do(t.Context(), node, "CLIENT", "KILL", "ID", id)
					require.NoError(t, err)
					require.Equal(t, "0", reply, "it has gone by itself")
				}
			}
		}
		l.goesOn(t, 2000)
		require.Empty(t, l.end())
		l.sums(t, false)
	})
}

// Whoever is thrown out in the middle of a command logs in anew with what Credentials say by then.
func TestReadsSurviveBeingThrownOutWhileThePasswordChanges(t *testing.T) {
	onEngines(t, realcluster.Options{Password: "s3cret", ACL: []string{"app on >first ~* &* +@all"}}, func(t *testing.T, cluster *realcluster.Cluster) {
		var password atomic.Value
		password.Store("first")
		client := connect(t, keyslot.Options{
			Endpoints: cluster.Addrs()[:1],
			Credentials: func(context.Context, keyslot.Node) (string, string, error) {
				return "app", password.Load().(string), nil
			},
		})
		require.NoError(t, client.Set(t.Context(), "key", "value"))
		done := make(chan error, 1)
		running, stop := context.WithCancel(t.Context())
		go func() { // ends with running
			var err error
			for running.Err() == nil && err == nil {
				_, err = client.Get(context.Background(), "key")
			}
			done <- err
		}()
		for range 5 {
			next := password.Load().(string) + "+"
			everywhere(t, cluster, "ACL", "SETUSER", "app", "resetpass", ">"+next)
			password.Store(next)
			everywhere(t, cluster, "CLIENT", "KILL", "USER", "app")
		}
		stop()
		require.NoError(t, <-done)
	})
}

func TestWhatBlocksOutlivesItsConnections(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], MaxConnAge: time.Second})
		popped := make(chan error, 1)
		go func() { // ends with its element; the test waits for it
			_, err := client.BLPop(t.Context(), 0, "late")
			popped <- err
		}()
		before := client.Stats()
		require.Eventually(t, func() bool { return dialsOf(client.Stats())-dialsOf(before) >= 3 }, 20*time.Second, 10*time.Millisecond)
		_, err := client.LPush(t.Context(), "late", "v")
		require.NoError(t, err)
		require.NoError(t, <-popped)
		left, err := client.Exists(t.Context(), "late")
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

func dialsOf(s keyslot.Stats) (n int64) {
	for _, node := range s.Nodes {
		n += node.Dials
	}
	return n
}
