package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// rotating are options whose connections are replaced between 7.5 and 10 s of age, each with another password.
func rotating(dials *collected[keyslot.ConnectEvent]) keyslot.Options {
	var mu sync.Mutex
	n := 0
	return keyslot.Options{
		MaxConnAge: 10 * time.Second, RefreshAfter: -1, Trace: &keyslot.Trace{Connected: dials.add},
		Credentials: func(context.Context, keyslot.Node) (user, password string, err error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return "app", "token-" + strconv.Itoa(n), nil
		},
	}
}

const wrongpass = "-WRONGPASS invalid username-password pair or user is disabled."

func TestConnectionsInUseAreReplacedBeforeTheirAge(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	story(t, rotating(&dials), func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		for range 300 {
			require.NoError(t, s.client.Set(t.Context(), low, "v"))
			time.Sleep(100 * time.Millisecond)
		}
		require.Zero(t, time.Since(s.began)%(100*time.Millisecond), "nobody waited for a dial")
		require.InDelta(t, 4, len(dials.take()), 1)
		require.EqualValues(t, 1, s.open.Load(), "the old ones have ended")
		require.Empty(t, sent(s.lower, "AUTH"), "nobody logs in on a connection in use")
		require.Equal(t, "HELLO 3 AUTH app token-2", names(sent(s.lower, "HELLO"))[1])

		time.Sleep(24 * time.Hour)
		require.Empty(t, dials.take(), "a client without traffic does nothing")
	})
}

// A slot's later command must not overtake an earlier one, though it goes to another connection and nobody waits
// for the earlier.
func TestReplacingAConnectionKeepsTheOrderOfASlot(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	opts := rotating(&dials)
	opts.MaxConnAge = time.Second
	story(t, opts, func(t *testing.T, s *stage) {
		s.lower.On("SET", fakenode.Reaction{Delay: 7 * time.Millisecond, Send: "+OK\r\n"})
		var wanted, got []string
		for i := range 1000 {
			err := s.client.Set(within(t, 5*time.Millisecond), low, strconv.Itoa(i))
			if errors.Is(err, keyslot.ErrUnknownOutcome) {
				wanted = append(wanted, strconv.Itoa(i))
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		conns := map[int]bool{}
		for _, r := range sent(s.lower, "SET") {
			got = append(got, r.Args[2])
			conns[r.Conn] = true
		}
		require.Equal(t, wanted, got)
		require.Greater(t, len(conns), 3)
	})
}

func TestTheOldConnectionServesWhileTheNewLoginIsRefused(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	story(t, rotating(&dials), func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		s.lower.On("HELLO", says(wrongpass))
		use := func(d time.Duration) {
			for began := time.Now(); time.Since(began) < d; time.Sleep(100 * time.Millisecond) {
				require.NoError(t, s.client.Set(t.Context(), low, "v"))
			}
		}
		use(60 * time.Second)
		failed := dials.take()[1:]
		require.NotEmpty(t, failed)
		require.LessOrEqual(t, len(failed), 30, "servers count refused logins")
		s.lower.On("HELLO", fakenode.Reaction{Send: fakenode.Hello})
		use(15 * time.Second)
		for _, dial := range dials.take() {
			require.NoError(t, dial.Err)
		}
		require.NotZero(t, sent(s.lower, "SET")[len(sent(s.lower, "SET"))-1].Conn)
	})
}

// What blocks dials connections of its own. That others of the node still serve must not hurry its logins.
func TestRefusedLoginsArePacedWhateverElseServes(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	story(t, keyslot.Options{Trace: &keyslot.Trace{Connected: dials.add}}, func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		require.NoError(t, s.client.Set(t.Context(), low, "v"))
		dials.take()
		s.lower.On("HELLO", says(wrongpass))
		for range 20 {
			_, err := s.client.Do(within(t, time.Second), "BLPOP", low, "0.5")
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			require.NoError(t, s.client.Set(t.Context(), low, "v"))
		}
		require.LessOrEqual(t, len(dials.take()), 15)
	})
}

// That connections served until they were cut must not hurry the logins of those that replace them.
func TestRefusedLoginsArePacedWhereConnectionsAreCutOneByOne(t *testing.T) {
	const many = 20
	blocks := func(t *testing.T, s *stage) {
		release := make(chan struct{})
		s.lower.On("BLPOP", fakenode.Reaction{After: release, Send: popped + "\r\n"})
		for range many {
			go func() { // ends with the client
				for err := error(nil); !errors.Is(err, keyslot.ErrClosed); {
					_, err = s.client.Do(t.Context(), "BLPOP", low, 0)
				}
			}()
		}
		synctest.Wait()
		s.lower.On("BLPOP", stuck())
		close(release)
	}
	subscribes := func(t *testing.T, s *stage) {
		confirms(s.lower)
		for range many {
			_, err := s.client.SSubscribe(t.Context(), low)
			require.NoError(t, err)
		}
	}
	for name, connects := range map[string]func(t *testing.T, s *stage){"blocked": blocks, "subscribed": subscribes} {
		t.Run(name, func(t *testing.T) {
			var dials collected[keyslot.ConnectEvent]
			story(t, keyslot.Options{Trace: &keyslot.Trace{Connected: dials.add}}, func(t *testing.T, s *stage) {
				connects(t, s)
				synctest.Wait()
				require.Equal(t, 1+many, s.lower.Open())
				dials.take()
				s.lower.On("HELLO", says(wrongpass))
				for conn := 1; conn <= many; conn++ {
					s.lower.CutConn(conn, fakenode.RST)
					time.Sleep(100 * time.Millisecond)
				}
				require.LessOrEqual(t, len(dials.take()), 8, "a second apart, and longer each time")
			})
		})
	}
}

func TestWhatBlocksIsNotCutOffForItsAge(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	opts := rotating(&dials)
	opts.CommandTimeout = -1
	story(t, opts, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", fakenode.Reaction{Delay: time.Minute, Send: popped + "\r\n"}, says(popped))
		pop := func() int {
			_, err := s.client.Do(t.Context(), "BLPOP", low, 0)
			require.NoError(t, err)
			all := sent(s.lower, "BLPOP")
			return all[len(all)-1].Conn
		}
		first := pop()
		require.Equal(t, time.Minute, time.Since(s.began))
		synctest.Wait()
		require.EqualValues(t, 1, s.open.Load(), "it was closed when it was done")
		second := pop()
		require.NotEqual(t, first, second)
		require.Equal(t, second, pop())
		time.Sleep(20 * time.Second)
		require.NotEqual(t, second, pop(), "an idle one that is old is not used again")
		synctest.Wait()
		require.EqualValues(t, 2, s.open.Load())
	})
}

// A server that ends connections at some age leaves no command in doubt: none of them waits on one for so long.
func TestWhatBlocksForLongDoesSoInTurnsOnYoungConnections(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	opts := rotating(&dials)
	opts.CommandTimeout = -1
	story(t, opts, func(t *testing.T, s *stage) {
		turn := fakenode.Reaction{Delay: 2500 * time.Millisecond, Send: "_\r\n"}
		s.lower.On("BLPOP", turn, turn, turn, turn, turn, turn, turn, fakenode.Reaction{Delay: time.Second, Send: popped + "\r\n"})
		_, err := s.client.Do(t.Context(), "BLPOP", low, 0)
		require.NoError(t, err)
		require.Equal(t, 7*2500*time.Millisecond+time.Second, time.Since(s.began))
		conns := map[int]bool{}
		for _, r := range sent(s.lower, "BLPOP") {
			require.Equal(t, []string{"BLPOP", low, "2.500"}, r.Args)
			conns[r.Conn] = true
		}
		require.Greater(t, len(conns), 1, "a turn begins on a young connection only")

		s.lower.On("BLPOP", turn, fakenode.Reaction{Delay: 500 * time.Millisecond, Send: "_\r\n"})
		_, err = s.client.Do(t.Context(), "BLPOP", low, 3)
		require.NoError(t, err)
		all := sent(s.lower, "BLPOP")
		require.Equal(t, "0.500", all[len(all)-1].Args[2], "the rest of its time")
	})
}

func TestConnectionsToReplicasAreReplacedThroughTheGate(t *testing.T) {
	opts := keyslot.Options{ReadFrom: keyslot.Replica, MaxConnAge: 10 * time.Second, RefreshAfter: -1}
	readStory(t, opts, []string{primary, replica1}, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		for range 300 {
			require.Equal(t, replica1, f.get(t))
			time.Sleep(100 * time.Millisecond)
		}
		require.InDelta(t, 4, len(sent(f.node[replica1], "ROLE")), 1)
		require.Zero(t, time.Since(f.began)%(100*time.Millisecond), "nobody waited for a dial")
	})
}

func TestAReplicaThatHasBecomeUnfitIsNotDialledInAHurry(t *testing.T) {
	opts := keyslot.Options{ReadFrom: keyslot.PreferReplica, MaxConnAge: 10 * time.Second, RefreshAfter: -1}
	readStory(t, opts, []string{primary, replica1}, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("ROLE", fakenode.Reaction{Send: strings.Replace(fakenode.Connected, "$9\r\nconnected", "$7\r\nconnect", 1)})
		for range 700 {
			f.get(t)
			time.Sleep(100 * time.Millisecond)
		}
		require.InDelta(t, 13, len(sent(f.node[replica1], "ROLE")), 3)
	})
}

func TestASubscriptionGoesOverToANewConnectionWithAGap(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	listening(t, rotating(&dials), func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), up)
		require.NoError(t, err)
		s.upper.On("HELLO", says(wrongpass))
		time.Sleep(30 * time.Second)
		says3(s.upper, up, "before")
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"before"}, heard, "the old one serves until there is another")
		s.upper.On("HELLO", fakenode.Reaction{Send: fakenode.Hello})
		_, gaps := hear(t, sub, 1)
		require.Less(t, time.Since(s.began), 42*time.Second)
		require.ErrorContains(t, gaps[0], "MaxConnAge")
		says3(s.upper, up, "after")
		heard, _ = hear(t, sub, 1)
		require.Equal(t, []string{"after"}, heard)
		synctest.Wait()
		require.Equal(t, 1, s.upper.Open())
	})
}

// As where IAM logs in: the server cuts each connection off at some age, whatever it is doing.
func TestConnectionsAreReplacedBeforeTheServerCutsThemOff(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", fakenode.Reaction{Delay: 10 * time.Millisecond, Send: ":1\r\n"})
		client, err := keyslot.New(t.Context(), keyslot.Options{
			Endpoints: []string{lower}, MaxConnAge: 11 * time.Second,
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := s.dial(ctx, network, addr)
				if err == nil {
					time.AfterFunc(12*time.Second, func() { _ = conn.Close() })
				}
				return conn, err
			},
		})
		require.NoError(t, err)
		defer client.Close()
		for range 6000 {
			_, err := client.Incr(t.Context(), low)
			require.NoError(t, err)
		}
		require.Equal(t, time.Minute, time.Since(s.began))
	})
}

func TestMaxConnAgeHasALeastValue(t *testing.T) {
	for _, age := range []time.Duration{-time.Hour, time.Millisecond} {
		_, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, MaxConnAge: age})
		var option *keyslot.OptionError
		require.ErrorAs(t, err, &option, fmt.Sprint(age))
		require.Equal(t, "MaxConnAge", option.Option)
	}
}

// The connection that leaves may lead nowhere, and then nobody is to wait for it any longer than for one that stays.
func TestASuccessorDoesNotWaitForAConnectionThatSwallowsRequests(t *testing.T) {
	story(t, keyslot.Options{MaxConnAge: time.Second, RefreshAfter: -1}, func(t *testing.T, s *stage) {
		s.upper.On("HELLO", fakenode.Reaction{Send: "%2\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:17\r\n"})
		s.upper.On("CLIENT LIST", says("$%d\r\n%s", 13, "id=17 flags=N"))
		s.upper.On("INCR", one, fakenode.Reaction{}, one)
		_, err := s.client.Incr(t.Context(), up)
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		swallowed := make(chan error, 1)
		go func() {
			_, err := s.client.Incr(t.Context(), up)
			swallowed <- err
		}()
		time.Sleep(300 * time.Millisecond)
		_, err = s.client.Incr(t.Context(), up)
		require.NoError(t, err)
		require.ErrorIs(t, <-swallowed, keyslot.ErrUnknownOutcome)
		require.Less(t, time.Since(s.began), 3*time.Second)
	})
}

// Behind a silent connection nothing is silent, and yet nothing comes.
func TestReadsThatWaitForASilentReplicasOldConnectionGoElsewhere(t *testing.T) {
	opts := keyslot.Options{ReadFrom: keyslot.PreferReplica, MaxConnAge: time.Second, RefreshAfter: -1}
	readStory(t, opts, []string{primary, replica1}, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		require.Equal(t, replica1, f.get(t))
		time.Sleep(2 * time.Second)
		f.node[replica1].On("GET", fakenode.Reaction{})
		f.began = time.Now()
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				f.get(t)
				if took := time.Since(f.began); took > time.Second {
					t.Errorf("a read took until %v", took)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		readers.Wait()
	})
}

// A dial to a node that is frozen takes long, and none is made while its silence is to be noticed.
func TestASubscriberIsBackSoonThoughItsConnectionIsOld(t *testing.T) {
	var worst time.Duration
	for i := range 40 {
		failover(t, keyslot.Options{MaxConnAge: 4 * time.Second}, func(t *testing.T, s *stage, client *keyslot.Client) {
			confirms(s.lower)
			confirms(s.net.Node(spare))
			sub, err := client.SSubscribe(t.Context(), low)
			require.NoError(t, err)
			time.Sleep(time.Duration(i) * 50 * time.Millisecond)
			s.lower.StopReading()
			time.Sleep(4 * time.Second)
			shards(s, 3, spare, lower)
			promoted := time.Now()
			_, gaps := hear(t, sub, 1)
			worst = max(worst, gaps[0].To.Sub(promoted))
		})
	}
	require.LessOrEqual(t, worst, 700*time.Millisecond)
}
