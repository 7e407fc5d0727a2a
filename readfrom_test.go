package keyslot_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// One primary with two replicas serves all slots; each answers GET with its own address.
const (
	primary  = "10.0.0.1:6379"
	replica1 = "10.0.0.2:6379"
	replica2 = "10.0.0.3:6379"
)

// flock is a shard of scripted nodes, and a client of it.
type flock struct {
	*stage
	node map[string]*fakenode.Node
}

func oneShard(addrs ...string) fakenode.Shard {
	return fakenode.Shard{First: 0, Last: 16383, Nodes: addrs}
}

func itself(addr string) fakenode.Reaction {
	return fakenode.Reaction{Send: fmt.Sprintf("$%d\r\n%s\r\n", len(addr), addr)}
}

// readStory runs a story with a client of a shard; set may script the nodes before the client comes.
func readStory(t *testing.T, opts keyslot.Options, addrs []string, set func(f *flock), tell func(t *testing.T, f *flock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &flock{stage: &stage{net: fakenode.New()}, node: map[string]*fakenode.Node{}}
		defer f.net.Close()
		for _, addr := range addrs {
			f.node[addr] = f.net.Node(addr)
			f.node[addr].On("GET", itself(addr))
		}
		f.net.Topology(1, oneShard(addrs...))
		if set != nil {
			set(f)
		}
		if opts.Dial = f.dial; opts.Endpoints == nil {
			opts.Endpoints = []string{primary}
		}
		client, err := keyslot.New(t.Context(), opts)
		require.NoError(t, err)
		defer client.Close()
		f.client, f.began = client, time.Now()
		tell(t, f)
	})
}

// get reads a key and returns which node answered.
func (f *flock) get(t *testing.T) string {
	t.Helper()
	who, err := f.client.Get(context.Background(), "key")
	require.NoError(t, err)
	return who
}

// warm lets the client connect to its replicas.
func (f *flock) warm(t *testing.T) {
	t.Helper()
	f.get(t)
	synctest.Wait()
	f.began = time.Now()
}

// shares counts who answers n reads.
func (f *flock) shares(t *testing.T, n int) map[string]int {
	t.Helper()
	who := map[string]int{}
	for range n {
		who[f.get(t)]++
	}
	return who
}

var three = []string{primary, replica1, replica2}

func TestReadsAreSpreadByPolicy(t *testing.T) {
	for policy, nodes := range map[keyslot.ReadPolicy][]string{
		keyslot.Primary:       {primary},
		keyslot.PreferReplica: {replica1, replica2},
		keyslot.Replica:       {replica1, replica2},
		keyslot.AZAffinity:    {replica1, replica2}, // its zone is not known
		keyslot.Any:           three,
	} {
		readStory(t, keyslot.Options{ReadFrom: policy}, three, nil, func(t *testing.T, f *flock) {
			f.warm(t)
			who := f.shares(t, 300)
			require.Len(t, who, len(nodes), "policy %d", policy)
			for _, node := range nodes {
				require.InDelta(t, 300/len(nodes), who[node], 50, "policy %d", policy)
			}
			for _, addr := range three {
				require.Equal(t, len(sent(f.node[addr], "READONLY")), len(sent(f.node[addr], "ROLE")))
			}
			require.Empty(t, sent(f.node[primary], "READONLY"))
		})
	}
}

func TestOnlyReadsGoToReplicas(t *testing.T) {
	readStory(t, keyslot.Options{}, three, nil, func(t *testing.T, f *flock) {
		f.client = f.client.ReadFrom(keyslot.PreferReplica)
		f.warm(t)
		f.node[primary].On("SET", fakenode.Reaction{Send: "+OK\r\n"})
		f.node[primary].On("SORT", fakenode.Reaction{Send: "*0\r\n"})
		f.node[primary].On("EVAL", fakenode.Reaction{Send: ":1\r\n"})
		f.node[primary].On("HSCAN", fakenode.Reaction{Send: "*2\r\n$1\r\n0\r\n*0\r\n"})
		f.node[primary].On("DBSIZE", fakenode.Reaction{Send: ":1\r\n"})
		for _, addr := range three[1:] {
			f.node[addr].On("EVAL_RO", fakenode.Reaction{Send: ":1\r\n"})
			f.node[addr].On("EXISTS", fakenode.Reaction{Send: ":1\r\n"})
		}
		for _, args := range [][]any{
			{"SET", "key", "v"}, {"SORT", "key"}, {"EVAL", "return 1", 1, "key"}, {"DBSIZE"}, {"HSCAN", "key", 0},
			{"EVAL_RO", "return 1", 1, "key"}, {"EXISTS", "key"}, {"EXISTS", "key", "another"},
		} {
			_, err := f.client.Do(t.Context(), args...)
			require.NoError(t, err, "%v", args)
		}
		p := f.client.Pipeline()
		written, read := p.Set("key", "v"), p.Get("key")
		require.NoError(t, p.Exec(t.Context()))
		require.NoError(t, written.Err())
		who, err := read.Get()
		require.NoError(t, err)
		require.NotEqual(t, primary, who)
	})
}

func TestAPipelineSendsTheReadsOfAShardTogether(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		writes := f.writes.Load()
		p := f.client.Pipeline()
		for i := range 100 {
			p.Get(fmt.Sprint("key", i))
		}
		require.NoError(t, p.Exec(t.Context()))
		require.EqualValues(t, 1, f.writes.Load()-writes)
	})
}

// The gate: nothing but ROLE tells a replica that has its primary's data from one that has not.
func TestAReplicaIsNotReadFromUntilItIsConnectedToItsPrimary(t *testing.T) {
	role := func(state string) fakenode.Reaction {
		return fakenode.Reaction{Send: fmt.Sprintf("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$%d\r\n%s\r\n:-1\r\n", len(state), state)}
	}
	for name, reaction := range map[string]fakenode.Reaction{
		"handshake":  role("handshake"),
		"connecting": role("connecting"),
		"sync":       role("sync"),
		"promoted":   {Send: "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n"},
		"nonsense":   {Send: "+OK\r\n"},
		"loading":    {Send: "-LOADING Redis is loading the dataset in memory\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			set := func(f *flock) { f.node[replica1].On("ROLE", reaction) }
			readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], set, func(t *testing.T, f *flock) {
				for range 20 {
					require.Equal(t, primary, f.get(t))
					time.Sleep(50 * time.Millisecond)
				}
				require.Empty(t, sent(f.node[replica1], "GET"))
				f.node[replica1].On("ROLE", fakenode.Reaction{Send: fakenode.Connected})
				time.Sleep(5 * time.Second)
				f.warm(t)
				require.Equal(t, replica1, f.get(t))
			})
		})
	}
}

func TestAReplicaThatMayNotTellItsRoleMustBeListedTwice(t *testing.T) {
	set := func(f *flock) {
		f.node[replica1].On("ROLE", fakenode.Reaction{Send: "-NOPERM User app has no permissions to run the 'role' command\r\n"})
	}
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], set, func(t *testing.T, f *flock) {
		f.warm(t)
		require.Equal(t, primary, f.get(t))
		time.Sleep(time.Second)
		f.warm(t)
		require.Equal(t, replica1, f.get(t), "the refusal has asked for another map")

		f.node[replica1].Cut(fakenode.RST)
		synctest.Wait()
		require.Equal(t, primary, f.get(t))
		time.Sleep(200 * time.Millisecond)
		f.warm(t)
		require.Equal(t, primary, f.get(t), "the maps that listed it are older than the loss")
	})
}

// What a replica leaves unanswered is answered by its primary, in the same call and without a pause.
func TestWhatAReplicaWillNotAnswerItsPrimaryDoes(t *testing.T) {
	for name, reaction := range map[string]fakenode.Reaction{
		"stale":        {Send: "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"},
		"loading":      {Send: "-LOADING Redis is loading the dataset in memory\r\n"},
		"cluster down": {Send: "-CLUSTERDOWN The cluster is down\r\n"},
		"busy":         {Send: "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"},
		"no replica":   {Send: "-MOVED 12539 " + primary + "\r\n"},
		"other owner":  {Send: "-MOVED 12539 10.9.9.9:6379\r\n"},
		"logged out":   {Send: "-NOAUTH Authentication required.\r\n"},
		"hangs up":     {End: fakenode.FIN},
		"resets":       {Send: "$5\r\nhal", End: fakenode.RST},
		"talks rot":    {Send: "!!!\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], nil, func(t *testing.T, f *flock) {
				f.warm(t)
				f.node[replica1].On("GET", reaction, itself(replica1))
				require.Equal(t, primary, f.get(t))
				require.Zero(t, time.Since(f.began))
				require.Zero(t, f.dialsTo("10.9.9.9:6379").Load(), "a replica's MOVED changes no map")
				time.Sleep(time.Second)
				f.warm(t)
				require.Equal(t, replica1, f.get(t), "it is back after its rest")
			})
		})
	}
}

func TestAReplicaThatRefusedShowsItsRoleAnew(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", fakenode.Reaction{Send: "-LOADING Redis is loading the dataset in memory\r\n"}, itself(replica1))
		f.node[replica1].On("ROLE", fakenode.Reaction{Send: "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$4\r\nsync\r\n:-1\r\n"})
		for range 10 {
			require.Equal(t, primary, f.get(t))
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestADeadReplicaCostsNothing(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].Close()
		for range 200 {
			require.NotEqual(t, replica1, f.get(t))
			time.Sleep(10 * time.Millisecond)
		}
		require.LessOrEqual(t, time.Since(f.began), 2*time.Second)
		require.Less(t, f.dialsTo(replica1).Load(), int32(10), "it rests longer each time")
	})
}

func TestAFrozenReplicaCostsNoMoreThanTheSuspicion(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", fakenode.Reaction{})
		f.node[replica1].StopReading() // as soon as it has swallowed one
		require.Equal(t, primary, f.get(t))
		require.LessOrEqual(t, time.Since(f.began), 750*time.Millisecond)
		f.began = time.Now()
		for range 100 {
			require.Equal(t, primary, f.get(t), "nobody else waits for it")
			time.Sleep(50 * time.Millisecond)
		}
		require.Equal(t, 5*time.Second, time.Since(f.began))
		f.node[replica1].On("GET", itself(replica1))
		f.node[replica1].Resume()
		time.Sleep(10 * time.Second)
		f.warm(t)
		require.Equal(t, replica1, f.get(t))
	})
}

func TestABlackHoleInPlaceOfAReplicaHoldsUpNobody(t *testing.T) {
	set := func(f *flock) { f.net.BlackHole(replica1) }
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], set, func(t *testing.T, f *flock) {
		require.Equal(t, primary, f.get(t))
		require.Zero(t, time.Since(f.began), "while the replica is dialled, the primary serves, which is connected")
	})
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], set, func(t *testing.T, f *flock) {
		f.node[primary].Cut(fakenode.FIN)
		synctest.Wait()
		f.get(t)
		require.LessOrEqual(t, time.Since(f.began), 500*time.Millisecond)
	})
}

func TestAReplicaThatRefusesRestsLongerEachTime(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", fakenode.Reaction{Send: "-BUSY Redis is busy running a script.\r\n"})
		for range 1000 {
			require.Equal(t, primary, f.get(t))
			time.Sleep(10 * time.Millisecond)
		}
		refused := len(sent(f.node[replica1], "GET"))
		require.Greater(t, refused, 4)
		require.Less(t, refused, 15)
	})
}

func TestAnOrderedPipelineReadsFromPrimaries(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[primary].On("SET", fakenode.Reaction{Send: "+OK\r\n"})
		p := f.client.Pipeline()
		p.Set("key", "v")
		read := p.Get("key")
		p.Ordered()
		require.NoError(t, p.Exec(t.Context()))
		who, err := read.Get()
		require.NoError(t, err)
		require.Equal(t, primary, who, "it has to see what the pipeline wrote")
	})
}

// Who reads from replicas only waits for one: that the cluster is asked for its topology ten times a second brings none.
func TestStrictReadsThatWaitForAReplicaDoNotHurryTheTopology(t *testing.T) {
	for name, opts := range map[string]keyslot.Options{
		"it is down":         {ReadFrom: keyslot.Replica},
		"it is too far back": {ReadFrom: keyslot.Replica, MaxLag: time.Second}, // which it does not tell
	} {
		t.Run(name, func(t *testing.T) {
			readStory(t, opts, three[:2], nil, func(t *testing.T, f *flock) {
				if opts.MaxLag == 0 {
					f.warm(t)
					f.node[replica1].Close()
				}
				before := len(sent(f.node[primary], "CLUSTER SLOTS"))
				_, err := f.client.Get(within(t, 5*time.Second), "key")
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.LessOrEqual(t, len(sent(f.node[primary], "CLUSTER SLOTS"))-before, 6)
			})
		})
	}
}
