package keyslot_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// A user that has no more commands than the page says is refused none, whatever the client asks by itself meanwhile.
func TestAUserNeedsTheCommandsThatThePageLists(t *testing.T) {
	page, err := os.ReadFile("docs/elasticache.md")
	require.NoError(t, err)
	list := regexp.MustCompile("`(\\+cluster\\|slots [^`]*)`").FindStringSubmatch(string(page))
	require.NotNil(t, list)
	listed := strings.Fields("reset on >secret ~* " + list[1] + " +get +set +scan +cluster|nodes")
	onEngines(t, realcluster.Options{Password: "s3cret"}, func(t *testing.T, cluster *realcluster.Cluster) {
		rules := slices.Clone(listed)
		for _, node := range cluster.Nodes() {
			if _, err := cluster.Do(t.Context(), node, "CLIENT", "SETINFO", "LIB-NAME", "test"); err != nil { // Redis 7.0
				rules = slices.DeleteFunc(rules, func(r string) bool { return r == "+client|setinfo" })
			}
			_, err := cluster.Do(t.Context(), node, append([]string{"ACL", "SETUSER", "app"}, rules...)...)
			require.NoError(t, err)
		}
		client := connect(t, keyslot.Options{
			Endpoints: cluster.Addrs()[:1], Username: "app", Password: "secret", AZ: "here", MaxLag: time.Second, CommandTimeout: 20 * time.Second,
		})
		key, reads := "user:1", client.ReadFrom(keyslot.PreferReplica)
		require.NoError(t, client.Set(t.Context(), key, "ann"))
		require.Eventually(t, func() bool {
			_, err := reads.Get(t.Context(), key)
			return err == nil && replicaServed(client)
		}, 10*time.Second, 10*time.Millisecond)
		for _, err := range client.Scan(t.Context(), "") {
			require.NoError(t, err)
		}
		primary, err := cluster.Primary(t.Context(), int(keyslot.Slot(key)))
		require.NoError(t, err)
		require.NoError(t, primary.Kill())
		require.NoError(t, client.Set(t.Context(), key, "bob"))
		for _, node := range cluster.Live() {
			log, err := cluster.Do(t.Context(), node, "ACL", "LOG")
			require.NoError(t, err)
			for _, command := range refusals.FindAllStringSubmatch(log, -1) {
				require.Fail(t, "refused", command[1])
			}
		}
	})
}

// refusals finds the commands in ACL LOG that the user was refused.
var refusals = regexp.MustCompile(`object\n(.*)\nusername\napp\n`)

// replicaServed reports whether a replica has had more than the questions at its gate.
func replicaServed(client *keyslot.Client) bool {
	for _, n := range client.Stats().Nodes {
		if n.Role == "replica" && n.Commands > 2 {
			return true
		}
	}
	return false
}
