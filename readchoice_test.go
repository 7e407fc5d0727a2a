package keyslot_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// The other replica of a slow one gets nearly all reads, though both are alike at first.
func TestASlowReplicaGetsFewReads(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		slow, fast := itself(replica1), itself(replica2)
		slow.Delay, fast.Delay = 50*time.Millisecond, time.Millisecond
		f.node[replica1].On("GET", slow)
		f.node[replica2].On("GET", fast)
		who := f.shares(t, 2000)
		require.Less(t, who[replica1], 60)
		require.Positive(t, who[replica1], "now and then it is tried again")

		f.node[replica1].On("GET", fakenode.Reaction{Delay: time.Millisecond, Send: itself(replica1).Send})
		f.shares(t, 10_000)
		require.InDelta(t, 500, f.shares(t, 1000)[replica1], 150, "it has become fast again")
	})
}

// What is in flight tells of a slow node before its first reply does.
func TestReadsAtOnceGoWhereFewerWait(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		hold := make(chan struct{})
		f.node[replica1].On("GET", fakenode.Reaction{After: hold, Send: itself(replica1).Send})
		answered := make(chan string, 1000)
		for range 100 { // about half of them wait
			go func() {
				who, err := f.client.Get(context.Background(), "key")
				if err != nil {
					who = err.Error()
				}
				answered <- who
			}()
			synctest.Wait()
		}
		require.Greater(t, len(answered), 80)
		close(hold)
		for range 100 {
			require.NotEqual(t, primary, <-answered)
		}
	})
}

// inZone lets a node tell its zone in HELLO.
func (f *flock) inZone(addr, zone string) {
	hello := strings.Replace(fakenode.Hello, "%3", "%4", 1) + fmt.Sprintf("$17\r\navailability_zone\r\n$%d\r\n%s\r\n", len(zone), zone)
	f.node[addr].On("HELLO", fakenode.Reaction{Send: hello})
}

func TestReadsStayInTheirZone(t *testing.T) {
	const here, there = "use1-az1", "use1-az2"
	for _, tc := range []struct {
		name  string
		zones map[string]string
		want  string
	}{
		{"a replica here", map[string]string{primary: here, replica1: there, replica2: here}, replica2},
		{"only the primary here", map[string]string{primary: here, replica1: there, replica2: there}, primary},
	} {
		set := func(f *flock) {
			for addr, zone := range tc.zones {
				f.inZone(addr, zone)
			}
		}
		opts := keyslot.Options{ReadFrom: keyslot.AZAffinity, AZ: here}
		readStory(t, opts, three, set, func(t *testing.T, f *flock) {
			f.warm(t)
			require.Greater(t, f.shares(t, 1000)[tc.want], 980, tc.name)
			for _, n := range append(f.client.Topology().Shards[0].Replicas, f.client.Topology().Shards[0].Primary) {
				require.Equal(t, tc.zones[n.Addr()], n.AZ)
			}
			f.node[tc.want].On("GET", fakenode.Reaction{Send: "-LOADING Redis is loading the dataset in memory\r\n"})
			if tc.want != primary {
				require.Equal(t, primary, f.get(t), "the primary is here too")
			}
		})
	}
}

// A client that only reads has no reason of its own to be connected to a primary.
func TestAPrimaryThatIsNotConnectedIsReadFromWhereThePolicySaysSo(t *testing.T) {
	const here, there = "use1-az1", "use1-az2"
	for _, tc := range []struct {
		name        string
		opts        keyslot.Options
		zone        string // of the primary
		least, most int    // of 300 reads
		dials       int32
	}{
		{"any node", keyslot.Options{ReadFrom: keyslot.Any}, there, 50, 150, 1},
		{"it alone is here", keyslot.Options{ReadFrom: keyslot.AZAffinity, AZ: here}, here, 280, 300, 1},
		{"nobody is here", keyslot.Options{ReadFrom: keyslot.AZAffinity, AZ: here}, there, 0, 0, 1},
		{"no zone is known", keyslot.Options{ReadFrom: keyslot.AZAffinity}, here, 0, 0, 0},
		{"replicas are preferred", keyslot.Options{ReadFrom: keyslot.PreferReplica}, here, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set := func(f *flock) {
				for _, addr := range three {
					f.inZone(addr, there)
				}
				f.inZone(primary, tc.zone)
			}
			tc.opts.Endpoints = []string{replica1}
			readStory(t, tc.opts, three, set, func(t *testing.T, f *flock) {
				f.warm(t)
				who := f.shares(t, 300)[primary]
				require.GreaterOrEqual(t, who, tc.least)
				require.LessOrEqual(t, who, tc.most)
				require.Equal(t, tc.dials, f.dialsTo(primary).Load())
				if tc.least == 0 {
					return
				}
				f.node[primary].Cut(fakenode.FIN)
				synctest.Wait()
				f.warm(t)
				require.GreaterOrEqual(t, f.shares(t, 300)[primary], tc.least, "it is connected again, its zone known")
			})
		})
	}
}

func TestABlackHoleInPlaceOfAPrimaryHoldsUpNoReads(t *testing.T) {
	for _, policy := range []keyslot.ReadPolicy{keyslot.Any, keyslot.AZAffinity} {
		set := func(f *flock) { f.net.BlackHole(primary) }
		opts := keyslot.Options{ReadFrom: policy, AZ: "here", Endpoints: []string{replica1}}
		readStory(t, opts, three, set, func(t *testing.T, f *flock) {
			f.warm(t)
			looks := len(sent(f.node[replica1], "EXISTS"))
			for range 600 {
				require.NotEqual(t, primary, f.get(t))
				time.Sleep(100 * time.Millisecond)
			}
			require.Equal(t, time.Minute, time.Since(f.began))
			require.LessOrEqual(t, f.dialsTo(primary).Load(), int32(30), "one after the other")
			require.Len(t, sent(f.node[replica1], "EXISTS"), looks, "nobody misses it")
		})
	}
}

// What a primary took once is not what it takes for ever.
func TestAPrimaryThatHasBecomeFastAgainIsReadFromAgain(t *testing.T) {
	for _, opts := range []keyslot.Options{{ReadFrom: keyslot.Any}, {ReadFrom: keyslot.AZAffinity, AZ: "here"}} {
		set := func(f *flock) { f.inZone(primary, "here") }
		readStory(t, opts, three, set, func(t *testing.T, f *flock) {
			f.warm(t)
			f.shares(t, 2000)
			fast := fakenode.Reaction{Delay: time.Millisecond, Send: itself(primary).Send}
			for _, addr := range three {
				f.node[addr].On("GET", fakenode.Reaction{Delay: time.Millisecond, Send: itself(addr).Send})
			}
			f.node[primary].On("GET", fakenode.Reaction{Delay: 200 * time.Millisecond, Send: itself(primary).Send})
			f.shares(t, 1000)
			require.Less(t, f.shares(t, 500)[primary], 20)
			f.node[primary].On("GET", fast)
			f.shares(t, 20_000) // of which 26 try the primary; 4 of them make it as good as the others
			require.Greater(t, f.shares(t, 300)[primary], 50)
		})
	}
}

func TestAZoneIsLearntFromInfoWhereHelloDoesNotTell(t *testing.T) {
	set := func(f *flock) {
		info := "# Server\r\nredis_version:7.2.4\r\navailability_zone:use1-az2\r\n"
		f.node[replica2].On("INFO", fakenode.Reaction{Send: fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)})
	}
	t.Setenv("KEYSLOT_AZ", "use1-az2")
	readStory(t, keyslot.Options{ReadFrom: keyslot.AZAffinity}, three, set, func(t *testing.T, f *flock) {
		f.warm(t)
		require.Greater(t, f.shares(t, 1000)[replica2], 980)
		require.Len(t, sent(f.node[replica2], "INFO"), 1)
		require.Len(t, sent(f.node[primary], "INFO"), 1, "a node that does not tell is not asked again")
	})
}

func TestAZoneIsAskedForAgainWhereANodeWasTooBusyToTell(t *testing.T) {
	const info = "# Server\r\navailability_zone:here\r\n"
	text := fakenode.Reaction{Send: fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)}
	for refusal, zone := range map[string]string{
		"-BUSY Valkey is busy running a script.":                        "here",
		"-NOPERM User ann has no permissions to run the 'info' command": "", // for good
	} {
		set := func(f *flock) { f.node[replica1].On("INFO", says("%s", refusal), text) }
		opts := keyslot.Options{ReadFrom: keyslot.AZAffinity, AZ: "here"}
		readStory(t, opts, three[:2], set, func(t *testing.T, f *flock) {
			f.warm(t)
			f.node[replica1].Cut(fakenode.FIN)
			for range 10 {
				f.get(t)
				time.Sleep(100 * time.Millisecond)
			}
			require.Equal(t, zone, f.client.Topology().Shards[0].Replicas[0].AZ, refusal)
		})
	}
}

func TestASickZoneIsLeft(t *testing.T) {
	set := func(f *flock) { f.inZone(replica1, "here") }
	readStory(t, keyslot.Options{ReadFrom: keyslot.AZAffinity, AZ: "here"}, three, set, func(t *testing.T, f *flock) {
		f.warm(t)
		f.shares(t, 2000) // by then the other replica has been tried
		sick := itself(replica1)
		sick.Delay = 200 * time.Millisecond
		f.node[replica1].On("GET", sick)
		f.node[replica2].On("GET", fakenode.Reaction{Delay: time.Millisecond, Send: itself(replica2).Send})
		f.shares(t, 1000)
		require.Less(t, f.shares(t, 500)[replica1], 20)
		f.node[replica1].On("GET", itself(replica1))
		f.shares(t, 10_000)
		require.Greater(t, f.shares(t, 500)[replica1], 450)
	})
}

// Redis 7 replicas do not know that a key has moved: they answer that it does not exist.
func TestASlotInMigrationIsReadFromPrimaries(t *testing.T) {
	const target = "10.0.0.9:6379"
	for _, policy := range []keyslot.ReadPolicy{keyslot.PreferReplica, keyslot.Replica, keyslot.Any} {
		readStory(t, keyslot.Options{ReadFrom: policy}, three[:2], nil, func(t *testing.T, f *flock) {
			f.node[replica1].On("GET", fakenode.Reaction{Send: "_\r\n"})
			f.node[primary].On("GET", fakenode.Reaction{Send: fmt.Sprintf("-ASK %d %s\r\n", keyslot.Slot("key"), target)})
			f.node[target] = f.net.Node(target)
			f.node[target].On("GET", itself(target))

			_, err := f.client.ReadFrom(keyslot.Primary).Get(t.Context(), "key")
			require.NoError(t, err)
			for range 20 {
				require.Equal(t, target, f.get(t))
				time.Sleep(time.Second)
			}
			f.node[primary].On("GET", itself(primary))
			require.Equal(t, primary, f.get(t))
			time.Sleep(31 * time.Second)
			f.node[replica1].On("GET", itself(replica1))
			f.warm(t)
			require.Positive(t, f.shares(t, 50)[replica1])
		})
	}
}

func TestAReplicasAskIsFollowed(t *testing.T) {
	const target = "10.0.0.9:6379"
	readStory(t, keyslot.Options{ReadFrom: keyslot.Replica}, three[:2], nil, func(t *testing.T, f *flock) {
		f.node[replica1].On("GET", fakenode.Reaction{Send: fmt.Sprintf("-ASK %d %s\r\n", keyslot.Slot("key"), target)})
		f.node[target] = f.net.Node(target)
		f.node[target].On("GET", itself(target))
		require.Equal(t, target, f.get(t))
		require.Empty(t, sent(f.node[primary], "GET"))
		require.Len(t, sent(f.node[target], "ASKING"), 1)
		require.Empty(t, sent(f.node[target], "READONLY"))
	})
}

func TestStrictReadsWaitForAReplica(t *testing.T) {
	loading := fakenode.Reaction{Send: "-LOADING Redis is loading the dataset in memory\r\n"}
	readStory(t, keyslot.Options{ReadFrom: keyslot.Replica}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", loading, loading, loading, loading, itself(replica1))
		require.Equal(t, replica1, f.get(t))
		require.Positive(t, time.Since(f.began))
		require.Empty(t, sent(f.node[primary], "GET"))

		slow := itself(replica1)
		slow.Delay = 3 * time.Second
		f.node[replica1].On("GET", slow)
		require.Equal(t, replica1, f.get(t), "silence is no reason to leave the only replica")

		f.node[replica1].On("GET", loading)
		_, err := f.client.Get(t.Context(), "key")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorContains(t, err, "LOADING")
	})
	readStory(t, keyslot.Options{ReadFrom: keyslot.Replica}, three[:1], nil, func(t *testing.T, f *flock) {
		_, err := f.client.Get(t.Context(), "key")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorContains(t, err, "no replica")
		require.Equal(t, 5*time.Second, time.Since(f.began), "one may have come until then")
	})
}

// Roles change: nothing is read over a connection that was made when the node had another one.
func TestAReplicaThatChangesItsRoleIsConnectedAnew(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica, RefreshAfter: time.Second}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		require.Equal(t, replica1, f.get(t))
		swap := func(epoch int, addrs ...string) {
			f.net.Topology(epoch, oneShard(addrs...))
			time.Sleep(2 * time.Second)
			for range 3 {
				f.warm(t)
				time.Sleep(time.Second)
			}
		}
		swap(2, replica1, primary)
		require.Equal(t, primary, f.get(t), "demoted, so read from")
		require.Len(t, sent(f.node[primary], "READONLY"), 1)
		require.NotNil(t, f.node[replica1].Ended(sent(f.node[replica1], "READONLY")[0].Conn), "promoted: its READONLY connection is gone")

		swap(3, primary, replica1)
		require.Equal(t, replica1, f.get(t))
		require.Len(t, sent(f.node[replica1], "ROLE"), 2)
	})
}

// A client that only reads from Redis 7 replicas never sees an ASK; but a redirect says that slots are moving.
func TestAnEmptyAnswerIsDoubtedWhileSlotsMove(t *testing.T) {
	for _, empty := range []string{"_\r\n", "$-1\r\n"} {
		readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], nil, func(t *testing.T, f *flock) {
			f.warm(t)
			f.node[replica1].On("GET", fakenode.Reaction{Send: empty})
			_, err := f.client.Get(t.Context(), "key")
			require.ErrorIs(t, err, keyslot.Nil, "nothing moves")

			f.node[replica1].On("GET", fakenode.Reaction{Send: "-MOVED 12539 10.9.9.9:6379\r\n"}, fakenode.Reaction{Send: empty})
			require.Equal(t, primary, f.get(t))
			require.Equal(t, primary, f.get(t))
			f.node[primary].On("GET", fakenode.Reaction{Send: empty})
			_, err = f.client.Get(t.Context(), "key")
			require.ErrorIs(t, err, keyslot.Nil, "it does not exist indeed")

			f.node[primary].On("GET", itself(primary))
			time.Sleep(31 * time.Second)
			_, err = f.client.Get(t.Context(), "key")
			require.ErrorIs(t, err, keyslot.Nil)
		})
	}
}

// What is known of it is that a replica has answered, and not what.
func TestADoubtedReadThatIsGivenUpIsOfUnknownOutcome(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	trace := &keyslot.Trace{Retried: func(e keyslot.RetryEvent) {
		if e.Reason == "doubt" {
			cancel()
		}
	}}
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica, Trace: trace}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", says("-MOVED 12539 10.9.9.9:6379"), says("_"))
		require.Equal(t, primary, f.get(t))
		_, err := f.client.Get(ctx, "key")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.ErrorIs(t, err, keyslot.ErrRetryable, "it is a read")
		require.NotContains(t, err.Error(), "last answer")
	})
}

// Calls that have had no trouble share an empty one, which is not to be written to.
func TestADoubtedReadGetsATroubleOfItsOwn(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, []string{primary, replica1}, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", says("-MOVED 12539 10.9.9.9:6379"), says("_"))
		require.Equal(t, primary, f.get(t))
		f.node[primary].On("SET", says("-TRYAGAIN not yet"), ok)
		p := f.client.Pipeline()
		who, set := p.Get("key"), p.Set("key", "value")
		require.NoError(t, p.Exec(t.Context()))
		require.NoError(t, set.Err())
		require.Equal(t, primary, valueOf(t, who))
		require.True(t, keyslot.IsCalm(f.client))
	})
}

// A function of Trace that panics ends the attempt in the middle of its calls, of which some are not counted off yet.
func TestAPanicOfAProgramsTraceLeavesNoReadsInFlight(t *testing.T) {
	panics := true
	trace := &keyslot.Trace{Retried: func(keyslot.RetryEvent) {
		if panics {
			panic("a program's fault")
		}
	}}
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica, Trace: trace, MaxInFlight: 64}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		busy := says("-BUSY Redis is busy running a script.")
		for range 20 {
			f.node[replica1].On("GET", busy, itself(replica1))
			f.node[replica2].On("GET", busy, itself(replica2))
			require.Panics(t, func() {
				p := f.client.Pipeline()
				for range 10 {
					p.Get("key")
				}
				_ = p.Exec(t.Context())
			})
			time.Sleep(10 * time.Second)
		}
		panics = false
		f.node[replica1].On("GET", itself(replica1))
		time.Sleep(time.Minute)
		require.Greater(t, f.shares(t, 1000)[replica1], 300)
	})
}
