package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// Close at any moment: nothing is left. That no goroutine is, the bubble of each story requires at its end.

func TestCloseDuringAnyWaitLeavesNothing(t *testing.T) {
	for name, hold := range map[string]func(s *stage){
		"dials":      func(s *stage) { s.net.BlackHole(upper) },
		"handshakes": func(s *stage) { s.upper.On("HELLO", stuck()) },
		"replies": func(s *stage) {
			s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return stuck(), r.Name() != "HELLO" })
		},
		"pauses":                  func(s *stage) { s.upper.Close() },
		"a refresh":               func(s *stage) { s.upper.Close(); s.lower.On("CLUSTER SLOTS", stuck()) },
		"a race of the endpoints": func(s *stage) { s.upper.Close(); s.lower.Cut(fakenode.RST); s.net.BlackHole(lower) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{MaxInFlight: 3}, func(t *testing.T, s *stage) {
				hold(s)
				var callers sync.WaitGroup
				for _, command := range [][]any{{"GET", up}, {"BLPOP", up, 0}, {"DEL", up, low}, {"DBSIZE"}} {
					for range 10 {
						callers.Go(func() {
							_, err := s.client.Do(t.Context(), command...)
							require.Error(t, err)
						})
					}
				}
				time.Sleep(700 * time.Millisecond)
				s.began = time.Now()
				require.NoError(t, s.client.Close())
				callers.Wait()
				require.Equal(t, s.began, time.Now(), "neither Close nor a command waits for anything")
				require.Zero(t, s.open.Load())
				_, err := s.client.Get(t.Context(), low)
				require.ErrorIs(t, err, keyslot.ErrClosed)
			})
		})
	}
}

func TestCloseEndsWhoWaitsBehindWatches(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("WATCH", ok)
		release := make(chan struct{})
		var watches, waiting sync.WaitGroup
		for range 1024 { // as many as a node has connections for such commands
			watches.Go(func() {
				_ = s.client.Watch(t.Context(), []string{low}, func(*keyslot.Watched) error { <-release; return nil })
			})
		}
		synctest.Wait()
		waiting.Go(func() {
			_, err := s.client.BLPop(context.Background(), 0, low)
			require.ErrorIs(t, err, keyslot.ErrClosed)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		})
		synctest.Wait()
		require.NoError(t, s.client.Close())
		waiting.Wait()
		close(release)
		watches.Wait()
	})
}

func TestCloseWhileANewClientLooksForItsCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		defer network.Close()
		network.BlackHole(lower)
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower, upper}, Dial: network.Dial, Lazy: true})
		require.NoError(t, err)
		var caller sync.WaitGroup
		caller.Go(func() {
			_, err := client.Get(t.Context(), low)
			require.ErrorIs(t, err, keyslot.ErrClosed)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		})
		synctest.Wait()
		require.NoError(t, client.Close())
		caller.Wait()
	})
}

// The moment of Close is drawn by the scheduler: on real sockets, while connections are made, cut and waited for.
func TestCloseAtAnyMomentClosesEverySocket(t *testing.T) {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	require.NoError(t, err)
	defer cluster.Close()
	for round := range 60 {
		s := &stage{}
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			s.open.Add(1)
			return &counted{Conn: conn, stage: s}, nil
		}
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{cluster.Endpoint()}, Dial: dial, ConnsPerNode: 2, MaxInFlight: 4})
		require.NoError(t, err)
		var callers sync.WaitGroup
		begun := make(chan struct{}, 100)
		for i := range 30 {
			callers.Go(func() {
				key := fmt.Sprint("k", i)
				for _, command := range [][]any{{"SET", key, "v"}, {"BLPOP", "list" + key, "0.001"}, {"MGET", "a", "b", "c", "d"}, {"BLPOP", "list" + key, 0}} {
					begun <- struct{}{}
					if _, err := client.Do(context.Background(), command...); err != nil {
						require.True(t, errors.Is(err, keyslot.ErrClosed) || errors.Is(err, keyslot.ErrUnknownOutcome), "%v", err)
						return
					}
				}
			})
		}
		for range round * 2 { // the longer, the later
			<-begun
		}
		require.NoError(t, client.Close())
		go func() { // ends with the callers
			for range begun {
			}
		}()
		callers.Wait()
		close(begun)
		require.Zero(t, s.open.Load())
	}
}

func TestCloseWaitsForDialsThatEndLate(t *testing.T) {
	for _, command := range sharedAndDedicated {
		synctest.Test(t, func(t *testing.T) {
			network := fakenode.New()
			defer network.Close()
			network.Node(lower)
			late := &stage{net: network}
			network.Topology(1, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{upper}})
			network.Node(upper)
			client, err := keyslot.New(t.Context(), keyslot.Options{
				Endpoints: []string{lower},
				Dial: func(_ context.Context, kind, addr string) (net.Conn, error) {
					return late.dial(context.Background(), kind, addr)
				},
				Credentials: func(ctx context.Context, n keyslot.Node) (user, password string, err error) {
					if n.Addr() == upper {
						<-ctx.Done()
						time.Sleep(time.Second)
					}
					return "", "", nil
				},
			})
			require.NoError(t, err)
			began := time.Now()
			go func() { _, _ = client.Do(t.Context(), command...) }()
			synctest.Wait()
			require.NoError(t, client.Close())
			require.Equal(t, time.Second, time.Since(began))
			require.Zero(t, late.open.Load())
		})
	}
}
