package keyslot_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// A shard whose primary is listed without an address ("?") is read from its replicas, and there is nobody to fall back to.

// headless is a map of two shards. The upper one, which has the key, is such a shard.
const headless = "*2\r\n*3\r\n:0\r\n:8191\r\n*4\r\n$8\r\n10.0.0.1\r\n:6379\r\n$1\r\nq\r\n*0\r\n" +
	"*4\r\n:8192\r\n:16383\r\n*4\r\n$1\r\n?\r\n:6379\r\n$1\r\np\r\n*0\r\n*4\r\n$8\r\n10.0.0.2\r\n:6379\r\n$1\r\nr\r\n*0\r\n"

// headlessStory runs a story that begins when the replica has answered its first read.
func headlessStory(t *testing.T, policy keyslot.ReadPolicy, tell func(t *testing.T, f *flock, replica *fakenode.Node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &flock{stage: &stage{net: fakenode.New()}}
		defer f.net.Close()
		replica := f.net.Node(replica1)
		for _, node := range []*fakenode.Node{f.net.Node(primary), replica} {
			node.On("CLUSTER SLOTS", fakenode.Reaction{Send: headless})
		}
		replica.On("ROLE", fakenode.Reaction{Delay: time.Millisecond, Send: fakenode.Connected})
		replica.On("GET", fakenode.Reaction{Delay: time.Millisecond, Send: itself(replica1).Send})
		var err error
		f.client, err = keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{replica1}, Dial: f.dial, ReadFrom: policy})
		require.NoError(t, err)
		defer f.client.Close()
		require.Equal(t, replica1, f.get(t))
		tell(t, f, replica)
	})
}

func TestAReplicaWithoutAPrimaryIsNotAskedInALoop(t *testing.T) {
	role := "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$10\r\nconnecting\r\n:-1\r\n"
	late := func(r fakenode.Reaction) fakenode.Reaction { r.Delay = time.Millisecond; return r } // or a loop would stop the clock
	for name, turn := range map[string]func(replica *fakenode.Node){
		"other owner": func(r *fakenode.Node) { r.On("GET", late(says("-MOVED 12539 10.9.9.9:6379"))) },
		"stale":       func(r *fakenode.Node) { r.On("GET", late(says("-MASTERDOWN Link with MASTER is down"))) },
		"hangs up":    func(r *fakenode.Node) { r.On("GET", late(fakenode.Reaction{End: fakenode.FIN})) },
		"not in sync": func(r *fakenode.Node) { r.On("ROLE", late(fakenode.Reaction{Send: role})); r.Cut(fakenode.RST) },
	} {
		for _, policy := range []keyslot.ReadPolicy{keyslot.PreferReplica, keyslot.Replica, keyslot.Any} {
			headlessStory(t, policy, func(t *testing.T, f *flock, replica *fakenode.Node) {
				turn(replica)
				synctest.Wait()
				reads, dials := len(sent(replica, "GET")), f.dialsTo(replica1).Load()
				_, err := f.client.Get(t.Context(), "key")
				require.ErrorIs(t, err, context.DeadlineExceeded, "%s, policy %d", name, policy)
				require.Less(t, len(sent(replica, "GET"))-reads, 60, "%s, policy %d: within 5 s", name, policy)
				require.Less(t, f.dialsTo(replica1).Load()-dials, int32(60), "%s, policy %d", name, policy)
			})
		}
	}
}

func TestAnEmptyAnswerIsNotDoubtedWhereNobodyElseCanBeAsked(t *testing.T) {
	headlessStory(t, keyslot.PreferReplica, func(t *testing.T, f *flock, replica *fakenode.Node) {
		replica.On("GET", says("-MOVED 12539 10.9.9.9:6379"), fakenode.Reaction{Delay: time.Millisecond, Send: "_\r\n"})
		_, err := f.client.Get(t.Context(), "key")
		require.ErrorIs(t, err, keyslot.Nil)
		require.Len(t, sent(replica, "GET"), 3)
	})
}
