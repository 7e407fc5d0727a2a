package keyslot_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

const addTo = "return redis.call('INCRBY', KEYS[1], ARGV[1])"

func TestAScriptIsSentWholeOnlyWhereANodeLacksIt(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	add := keyslot.NewScript(addTo)
	for i := range 3 {
		r, err := add.Run(t.Context(), client, []string{"k"}, 5)
		require.NoError(t, err)
		n, err := r.Int64()
		require.NoError(t, err)
		require.EqualValues(t, 5*(i+1), n)
	}
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("EVALSHA", says("-NOSCRIPT No matching script."), says(":2")) // keyslottest says what Redis says
		s.lower.On("EVAL", says(":1"))
		for i := range 3 {
			r, err := add.Run(t.Context(), s.client, []string{low}, 1)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(min(i+1, 2)), r.String())
		}
		require.Len(t, sent(s.lower, "EVAL"), 1)
		require.Equal(t, []string{"EVAL", addTo, "1", low, "1"}, sent(s.lower, "EVAL")[0].Args)
	})
}

// A script can raise any error, after it has written.
func TestAScriptsOwnNoScriptIsNotBelieved(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, text := range []string{
			"NOSCRIPT x", "NOSCRIPT", "NOSCRIPT No matching script. Please use EVAL. script: 6b1b, on @user_script:1.", "NOSCRIPT No matching script",
		} {
			s.lower.On("EVALSHA", says("-%s", text))
			_, err := keyslot.NewScript("x").Run(t.Context(), s.client, []string{low})
			var said keyslot.ServerError
			require.ErrorAs(t, err, &said)
			require.EqualValues(t, text, said)
		}
		require.Empty(t, sent(s.lower, "EVAL"))
	})
}

// Of a script that cannot have changed anything the error is an answer, as that of GET is, on any view.
func TestAReadOnlyScriptsErrorIsAnAnswer(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, name := range []string{"EVALSHA", "EVALSHA_RO"} {
			s.lower.On(name, says("-WRONGTYPE Operation against a key holding the wrong kind of value"))
		}
		script := keyslot.NewScript("x")
		for _, client := range []*keyslot.Client{s.client, s.client.Idempotent()} {
			_, err := script.RunReadOnly(t.Context(), client, []string{low})
			var trail *keyslot.Error
			require.ErrorAs(t, err, &trail)
			require.Equal(t, keyslot.Answered, trail.Outcome)
			_, err = script.Run(t.Context(), client, []string{low})
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		}
	})
}

// What the commands of a script are refused with is the script's own when it catches and returns it: it may
// have written before.
func TestARefusalThatAScriptPassesOnIsNotItsOwn(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		for i, refused := range []string{"'HSET', KEYS[2], 'field', 'value', 'field'", "'XGROUP', 'CREATE', KEYS[2], 'group', '$', 'nonsense'", "'SELECT', 1"} {
			script := keyslot.NewScript("redis.call('INCR', KEYS[1]) return redis.pcall(" + refused + ")")
			_, err := script.Run(t.Context(), client, []string{"{k}count", "{k}other"})
			require.ErrorAs(t, err, new(keyslot.ServerError))
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome, refused)
			require.NotErrorIs(t, err, keyslot.ErrNotExecuted, refused)
			count, err := client.Get(t.Context(), "{k}count")
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i+1), count)
		}
	})
}

// Whatever the servers refuse a script with before it starts is known by their words.
func TestAScriptThatIsRefusedHasNotRun(t *testing.T) {
	opts := realcluster.Options{Password: "s3cret", ACL: []string{
		"no-eval on >pw ~* &* +@all -eval -evalsha -fcall", "no-keys on >pw ~x* &* +@all", "no-set on >pw ~* &* +@all -set",
	}}
	onEngines(t, opts, func(t *testing.T, cluster *realcluster.Cluster) {
		as := func(user string) *keyslot.Client {
			return connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], Username: user, Password: "pw"})
		}
		set, keys := keyslot.NewScript("return redis.call('SET', KEYS[1], 'v')"), []string{"k"}
		_, err := as("no-keys").FunctionLoadReplace(t.Context(), "#!lua name=lib\nredis.register_function('set', function(keys) return redis.call('SET', keys[1], 'v') end)")
		require.NoError(t, err)
		noEval, noSet := as("no-eval"), as("no-set")
		for name, run := range map[string]func() (keyslot.Reply, error){
			"EVALSHA":           func() (keyslot.Reply, error) { return set.Run(t.Context(), noEval, keys) },
			"EVAL":              func() (keyslot.Reply, error) { return noEval.Eval(t.Context(), "return 1", keys) },
			"FCALL":             func() (keyslot.Reply, error) { return noEval.FCall(t.Context(), "set", keys) },
			"keys":              func() (keyslot.Reply, error) { return set.Run(t.Context(), as("no-keys"), keys) },
			"FCALL_RO":          func() (keyslot.Reply, error) { return noSet.FCallRO(t.Context(), "set", keys) },
			"a flag":            func() (keyslot.Reply, error) { return noSet.Eval(t.Context(), "#!lua flags=x\nreturn 1", keys) },
			"flags without _RO": func() (keyslot.Reply, error) { return noSet.EvalRO(t.Context(), "#!lua\nreturn 1", keys) },
		} {
			_, err := run()
			require.ErrorAs(t, err, new(keyslot.ServerError), name)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted, name)
		}
		_, err = set.Run(t.Context(), noSet, keys)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome, "the script ran, until its SET was refused")
		_, err = set.RunReadOnly(t.Context(), noSet, keys)
		require.ErrorAs(t, err, new(keyslot.ServerError))
		require.NotErrorIs(t, err, keyslot.ErrUnknownOutcome, "it can have changed nothing")
	})
}

func TestAScriptInAPipelineNeedsNotBeKnown(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	add := keyslot.NewScript(addTo)
	p := client.Pipeline()
	var sums []*keyslot.Future[keyslot.Reply]
	for i := range 30 {
		sums = append(sums, add.Queue(p, []string{fmt.Sprint("k", i%10)}, 2))
	}
	refused := add.Queue(p, []string{"k"}, time.Second)
	require.Error(t, p.Exec(t.Context()))
	require.ErrorIs(t, refused.Err(), keyslot.ErrNotExecuted)
	require.ErrorContains(t, refused.Err(), "argument 4: ARGV[1]: a time.Duration has no one unit")
	for i, sum := range sums {
		r, err := sum.Get()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(2*(i/10+1)), r.String())
	}
}

func TestAScriptIsLoadedEverywhereWhateverTheRouteOfItsView(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SCRIPT", value)
		s.upper.On("SCRIPT", value)
		for i, to := range []keyslot.Route{nil, keyslot.ToKey(low), keyslot.ToNode(upper), keyslot.ToPrimaries} {
			require.NoError(t, keyslot.NewScript("return 1").LoadEverywhere(t.Context(), s.client.On(to)))
			require.Len(t, sent(s.lower, "SCRIPT"), i+1)
			require.Len(t, sent(s.upper, "SCRIPT"), i+1)
		}
	})
}

func TestScriptsOfWrongUseSendNothing(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	add := keyslot.NewScript(addTo)
	_, err := add.Run(t.Context(), client, []string{"a", "b"}, 1)
	require.ErrorContains(t, err, "argument 4: KEYS[2] is in slot 3300 and the first one in slot 15495; EVALSHA is one command for one node")
	require.ErrorContains(t, err, "hash tag")
	_, err = add.Run(t.Context(), client.On(keyslot.ToKey("a")), []string{"a", "b"}, 1)
	require.ErrorContains(t, err, "argument 4: KEYS[2] is in slot 3300")
	_, err = add.Run(t.Context(), client, []string{"a"}, nil)
	require.ErrorContains(t, err, "argument 4")
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	zero := new(keyslot.Script)
	_, noScript := zero.Run(t.Context(), client, []string{"a"})
	_, noClient := add.Run(t.Context(), nil, []string{"a"}, 1)
	p := client.Pipeline()
	zero.Queue(p, []string{"a"})
	for _, err := range []error{noScript, noClient, p.Exec(t.Context()), zero.LoadEverywhere(t.Context(), client), add.LoadEverywhere(t.Context(), nil)} {
		require.ErrorAs(t, err, new(*keyslot.ArgumentError))
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	}
	_, err = client.FCall(t.Context(), "f", []string{"a"}) // of which keyslottest has none
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
}

// The nodes forget the script all the time, and slots go to nodes that never had it.
func TestAScriptRunsOnceEachWhileNodesForgetItAndSlotsMove(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], CommandTimeout: 20 * time.Second})
		add := keyslot.NewScript(addTo)
		require.NoError(t, add.LoadEverywhere(t.Context(), client))
		var sums [40]atomic.Int64
		running, stop := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for worker := range 8 {
			workers.Go(func() {
				for i := worker; running.Err() == nil; i++ {
					_, err := add.Run(t.Context(), client, []string{fmt.Sprint("sum:", i%len(sums))}, i)
					if err != nil {
						t.Error(err)
						return
					}
					sums[i%len(sums)].Add(int64(i))
				}
			})
		}
		from, to := cluster.Node(0), cluster.Node(1)
		for i := range 4 {
			_, err := client.Do(t.Context(), "SCRIPT", "FLUSH")
			require.NoError(t, err)
			require.NoError(t, cluster.Reshard(t.Context(), from, to, 100+i))
			from, to = to, from
		}
		replicas, err := cluster.ReplicasOf(t.Context(), 16000)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(t.Context(), replicas[0]))
		stop()
		workers.Wait()
		for i := range sums {
			r, err := client.Do(t.Context(), "GET", fmt.Sprint("sum:", i))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(sums[i].Load()), r.String())
			require.NotZero(t, sums[i].Load())
		}
	})
}

func TestRunReadOnlyAndLibraries(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		require.NoError(t, client.Set(t.Context(), "k", "v"))
		r, err := keyslot.NewScript("return redis.call('GET', KEYS[1])").RunReadOnly(t.Context(), client, []string{"k"})
		require.NoError(t, err)
		require.Equal(t, "v", r.String())

		get, replicas := keyslot.NewScript("return redis.call('GET', KEYS[1])"), client.ReadFrom(keyslot.Replica)
		require.Eventually(t, func() bool { // once the key is there
			r, err = get.RunReadOnly(t.Context(), replicas, []string{"k"})
			return err == nil && r.String() == "v"
		}, 20*time.Second, time.Millisecond)
		at, err := cluster.ReplicasOf(t.Context(), int(keyslot.Slot("k")))
		require.NoError(t, err)
		stats, err := cluster.Do(t.Context(), at[0], "INFO", "commandstats")
		require.NoError(t, err)
		require.Contains(t, stats, "cmdstat_eval_ro:calls=1,")

		_, err = keyslot.NewScript(addTo).RunReadOnly(t.Context(), client, []string{"k"}, 1)
		require.ErrorContains(t, err, "Write commands are not allowed from read-only scripts")
		for _, broken := range []string{"return (", "#!lua flags=no-writes\nreturn ("} {
			_, err = keyslot.NewScript(broken).Run(t.Context(), client, []string{"k"})
			require.ErrorIs(t, err, keyslot.ErrNotExecuted, "it cannot have run")
		}

		for _, version := range []string{"1", "2"} {
			name, err := client.FunctionLoadReplace(t.Context(), "#!lua name=lib\nredis.register_function('version', function(keys) return "+version+" end)")
			require.NoError(t, err)
			require.Equal(t, "lib", name)
			for i := range 20 { // on every primary
				r, err = client.Do(t.Context(), "FCALL", "version", 1, fmt.Sprint("k", i))
				require.NoError(t, err)
				require.Equal(t, version, r.String())
			}
		}
	})
}

// Its EVAL is not a command that begins: the EVALSHA has.
func TestAScriptThatANodeHasToLearnIsWaitedForByShutdown(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("EVALSHA", fakenode.Reaction{Delay: time.Second, Send: "-NOSCRIPT No matching script. Please use EVAL.\r\n"})
		s.lower.On("EVAL", fakenode.Reaction{Delay: time.Second, Send: ":1\r\n"})
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := keyslot.NewScript("return 1").Run(t.Context(), s.client, []string{low})
			require.NoError(t, err)
		})
		synctest.Wait()
		require.NoError(t, s.client.Shutdown(t.Context()))
		require.Equal(t, 2*time.Second, time.Since(s.began))
		callers.Wait()
	})
}

func TestAScriptThatANodeHasToLearnTakesNoLongerThanAnyCommand(t *testing.T) {
	story(t, keyslot.Options{CommandTimeout: 5 * time.Second}, func(t *testing.T, s *stage) {
		s.lower.On("EVALSHA", fakenode.Reaction{Delay: 4 * time.Second, Send: "-NOSCRIPT No matching script. Please use EVAL.\r\n"})
		s.lower.On("EVAL", stuck())
		began := time.Now()
		_, err := keyslot.NewScript("return 1").Run(t.Context(), s.client, []string{low})
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}
