package wire_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

var getRequest = request("GET", "0123456789")

// answerer is a server that does next to nothing, on loopback TCP: every getRequest is answered with the same value.
func answerer(t testing.TB) wire.Options {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() { answerAll(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		served.Wait()
	})
	return wire.Options{Addr: l.Addr().String(), MaxInFlight: 4096, PeerTimeout: time.Minute}
}

// answererInMemory is the same without the system's part.
func answererInMemory(t testing.TB) wire.Options {
	var served sync.WaitGroup
	t.Cleanup(served.Wait)
	dial := func(context.Context, string, string) (net.Conn, error) {
		client, server := fakenode.Pipe()
		served.Go(func() { answerAll(server) }) // ends when the client closes
		return client, nil
	}
	return wire.Options{Addr: "memory:0", Dial: dial, MaxInFlight: 4096, PeerTimeout: time.Minute}
}

func answerAll(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := make([]byte, 64<<10)
	if _, err := conn.Read(in); err != nil {
		return
	}
	_, _ = conn.Write([]byte(fakenode.Hello))
	var out []byte
	for rest := 0; ; {
		n, err := conn.Read(in[rest:])
		if err != nil {
			return
		}
		all := in[:rest+n]
		out = out[:0]
		for len(all) >= len(getRequest) {
			if !bytes.HasPrefix(all, getRequest) { // a fence, which is longer
				n := fenceLength(all)
				if n == 0 {
					break
				}
				out = append(out, all[len("*2\r\n$4\r\nPING\r\n"):n]...)
				all = all[n:]
				continue
			}
			out = append(out, "$16\r\n0123456789abcdef\r\n"...)
			all = all[len(getRequest):]
		}
		rest = copy(in, all)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// fenceLength returns the length of the request at the start of b, 0 if it is not whole.
func fenceLength(b []byte) int {
	var scanner resp.Scanner
	n, _ := scanner.Scan(b)
	return n
}

// BenchmarkRoundTrip is what one connection does for many callers: commands/write shows that whoever flushes writes for
// everybody, and a single caller that it does not wait for others.
func BenchmarkRoundTrip(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { roundTrips(b, answerer(b), callers) })
	}
}

// BenchmarkRoundTripInMemory is what of it is this package's and the scheduler's.
func BenchmarkRoundTripInMemory(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { roundTrips(b, answererInMemory(b), callers) })
	}
}

func roundTrips(b *testing.B, opts wire.Options, callers int) {
	conn, err := wire.Dial(b.Context(), opts)
	require.NoError(b, err)
	defer conn.Close()
	writes := wire.CountWrites(conn)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var running sync.WaitGroup
	for range callers {
		running.Go(func() {
			r := newRoundTripper(conn)
			for left.Add(-1) >= 0 {
				if err := r.run(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/float64(max(1, writes.Load())), "commands/write")
}

// roundTripper sends one call again and again.
type roundTripper struct {
	conn   *wire.Conn
	waiter wire.Waiter
	calls  []*wire.Call
}

func newRoundTripper(conn *wire.Conn) *roundTripper {
	return &roundTripper{conn: conn, waiter: wire.Waiter{Prompt: true}, calls: []*wire.Call{{Request: getRequest}}}
}

func (r *roundTripper) run(ctx context.Context) error {
	r.waiter.Expect(1)
	if err := r.conn.Send(ctx, &r.waiter, r.calls); err != nil {
		return err
	}
	r.waiter.Wait(ctx, r.calls)
	return r.calls[0].Err
}

// A caller that is alone has its context interrupt its read (context.AfterFunc); one that shares the connection waits
// for a channel, and allocates nothing.
func TestAllocationsOfARoundTrip(t *testing.T) {
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, run := range map[string]struct {
		ctx    context.Context
		prompt bool
		allocs float64
	}{
		"shared":             {context.Background(), false, 0},
		"shared cancellable": {cancellable, false, 0},
		"alone":              {context.Background(), true, 0},
		"alone cancellable":  {cancellable, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoundTripper(connect(t, answerer(t)))
			r.waiter.Prompt = run.prompt
			for range 200 { // the reader leaves a caller that is alone to itself
				require.NoError(t, r.run(run.ctx))
			}
			var err error
			allocs := testing.AllocsPerRun(1000, func() {
				if e := r.run(run.ctx); e != nil {
					err = e
				}
			})
			require.NoError(t, err)
			require.Equal(t, run.allocs, allocs)
			require.Equal(t, "$16\r\n0123456789abcdef\r\n", string(r.calls[0].Reply))
		})
	}
}
