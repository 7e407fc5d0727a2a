package proxy_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
	"github.com/keyslot-go/keyslot/internal/loopback"
)

func set(t *testing.T, front *proxy.Front, fault proxy.Fault) {
	t.Helper()
	require.NoError(t, front.Set(fault))
}

// after is a Cut's count that is always the same.
func after(n int) func() int64 { return func() int64 { return int64(n) } }

func TestRepliesAreCutAfterEveryByte(t *testing.T) {
	t.Parallel()
	front := begin(t)
	for _, how := range []proxy.End{proxy.Reset, proxy.Finish} {
		for k := range hello {
			set(t, front, proxy.Fault{Cut: proxy.Cut{How: how, After: after(k)}})
			got, ended := dial(t, front.Addr(), hello).ends()
			require.Equal(t, hello[:k], got)
			require.Equal(t, how, ended)
		}
	}
}

// The bytes of a connection that is there already count from the setting on.
func TestPresentConnectionsAreCutToo(t *testing.T) {
	t.Parallel()
	front := begin(t)
	client := greeted(t, front.Addr())
	set(t, front, proxy.Fault{Cut: proxy.Cut{How: proxy.Finish, After: after(6)}})
	client.send("four")
	client.gets("four")
	client.send("four")
	got, ended := client.ends()
	require.Equal(t, "fo", got)
	require.Equal(t, proxy.Finish, ended)
}

func TestRequestsAreCut(t *testing.T) {
	t.Parallel()
	server, got := recording(t)
	front, err := proxy.Listen("127.0.0.1:0", server, proxy.Plain)
	require.NoError(t, err)
	defer front.Close()
	set(t, front, proxy.Fault{Cut: proxy.Cut{How: proxy.Reset, Of: proxy.Requests, After: after(len(hello) + 3)}})

	_, ended := dial(t, front.Addr(), hello+"SET x").ends()

	require.Equal(t, proxy.Reset, ended)
	seen := <-got
	require.Equal(t, hello+"SET", seen.bytes)
	require.ErrorIs(t, seen.err, syscall.ECONNRESET)
}

func TestWhatIsHeldComesWhenTheFaultIsOver(t *testing.T) {
	t.Parallel()
	for _, direction := range []proxy.Direction{proxy.Requests, proxy.Replies, proxy.Both} {
		front := begin(t)
		present := greeted(t, front.Addr())
		set(t, front, proxy.Fault{Hold: direction})
		present.send("held")
		fresh := dial(t, front.Addr(), hello)
		present.hearsNothing()
		fresh.hearsNothing()
		if direction == proxy.Replies {
			require.EqualValues(t, 2*len(hello)+len("held"), front.Counts().Requests, "requests are to pass")
		} else {
			require.EqualValues(t, len(hello), front.Counts().Requests)
		}

		set(t, front, proxy.Fault{})

		present.gets("held")
		fresh.gets(hello)
	}
}

// As in a network that loses everything: a kernel whose socket was reset sends nothing again.
func TestABlackHoleKeepsWhatItsClientHasGivenUp(t *testing.T) {
	t.Parallel()
	server, got := recording(t)
	front, err := proxy.Listen("127.0.0.1:0", server, proxy.Plain)
	require.NoError(t, err)
	defer front.Close()
	client := dial(t, front.Addr(), hello)
	require.Eventually(t, func() bool { return front.Counts().Requests > 0 }, patience, time.Millisecond)
	set(t, front, proxy.Fault{Hold: proxy.Both})
	client.send("INCR x")
	client.hearsNothing()
	client.reset()
	require.Eventually(t, func() bool { return front.Counts().Open == 0 }, patience, time.Millisecond)
	set(t, front, proxy.Fault{})

	seen := <-got
	require.Equal(t, hello, seen.bytes)
	require.ErrorIs(t, seen.err, syscall.ECONNRESET)
}

func TestSilentConnectionsStaySilent(t *testing.T) {
	t.Parallel()
	front := begin(t)
	present := greeted(t, front.Addr())
	set(t, front, proxy.Fault{Silent: true})
	silent := dial(t, front.Addr(), hello)
	silent.hearsNothing()
	present.send("still")
	present.gets("still")

	set(t, front, proxy.Fault{})

	silent.hearsNothing()
	greeted(t, front.Addr())
	require.Equal(t, 3, front.Reset(), "the silent one too")
}

func TestRefusedDialsLeavePresentConnectionsAlone(t *testing.T) {
	t.Parallel()
	front := begin(t)
	present := greeted(t, front.Addr())
	for range 3 {
		set(t, front, proxy.Fault{Refuse: true})
		_, err := net.Dial("tcp", front.Addr())
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		present.send("still")
		present.gets("still")

		set(t, front, proxy.Fault{})
		greeted(t, front.Addr())
	}
}

func TestSlowReplies(t *testing.T) {
	t.Parallel()
	front := begin(t)
	client := greeted(t, front.Addr())
	reply := strings.Repeat("x", 30)
	for _, tc := range []struct {
		fault proxy.Fault
		least time.Duration
	}{
		{proxy.Fault{Latency: 50 * time.Millisecond}, 50 * time.Millisecond},
		{proxy.Fault{Trickle: 1}, 30 * time.Millisecond},
		{proxy.Fault{Trickle: 10, Latency: 20 * time.Millisecond}, 22 * time.Millisecond},
	} {
		set(t, front, tc.fault)
		begin := time.Now()
		client.send(reply)
		client.gets(reply)
		require.GreaterOrEqual(t, time.Since(begin), tc.least, "%+v", tc.fault)
	}
}

func TestConnectionsEndNow(t *testing.T) {
	t.Parallel()
	server, got := recording(t)
	front, err := proxy.Listen("127.0.0.1:0", server, proxy.Plain)
	require.NoError(t, err)
	defer front.Close()
	for how, end := range map[proxy.End]func() int{proxy.Reset: front.Reset, proxy.Finish: front.Finish} {
		client, other := dial(t, front.Addr(), hello), dial(t, front.Addr(), "*1\r\n$4\r\nPING\r\n")
		require.Eventually(t, func() bool { return front.Counts().Open == 1 }, patience, time.Millisecond)

		require.Equal(t, 1, end())
		require.Zero(t, end())

		_, ended := client.ends()
		require.Equal(t, how, ended)
		require.ErrorIs(t, (<-got).err, syscall.ECONNRESET)
		require.NoError(t, other.CloseWrite())
		require.NoError(t, (<-got).err)
		client.Close()
	}
}

// Closing a socket with bytes unread is a reset, which would take what came before with it.
func TestFinishIsNoResetForAClientThatGoesOnSending(t *testing.T) {
	t.Parallel()
	front := begin(t)
	client := greeted(t, front.Addr())
	set(t, front, proxy.Fault{Hold: proxy.Requests})
	client.send(strings.Repeat("x", 100<<10))
	require.Equal(t, 1, front.Finish())
	_, ended := client.ends()
	require.Equal(t, proxy.Finish, ended)
	for range 10 {
		client.send(strings.Repeat("x", 100<<10))
	}
}

// A server that hangs up right after its greeting, as with too many clients, is heard.
func TestTheServersLastWordsArrive(t *testing.T) {
	t.Parallel()
	const refusal = "-ERR max number of clients reached\r\n"
	server := serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 100))
		_, _ = conn.Write([]byte(refusal))
	})
	front, err := proxy.Listen("127.0.0.1:0", server, proxy.Plain)
	require.NoError(t, err)
	defer front.Close()
	got, ended := dial(t, front.Addr(), hello).ends()
	require.Equal(t, refusal, got)
	require.Equal(t, proxy.Finish, ended)
}

// As when a stopped server is dialled directly, only later: its kernel had said yes.
func TestServerThatIsNotThereResets(t *testing.T) {
	t.Parallel()
	listener, err := loopback.Listen("127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	front := begin(t)
	present := greeted(t, front.Addr())
	front.Retarget(listener.Addr().String())
	_, ended := dial(t, front.Addr(), hello).ends()
	require.Equal(t, proxy.Reset, ended)

	present.send("still there")
	present.gets("still there")
	front.Retarget(echo(t, "new"))
	dial(t, front.Addr(), hello).gets("new" + hello)
}

func TestServersPassUntouched(t *testing.T) {
	t.Parallel()
	const ping = "*1\r\n$4\r\nPING\r\n"
	front := begin(t)
	set(t, front, proxy.Fault{
		Silent: true, Hold: proxy.Both, Latency: time.Hour, Trickle: 1, Cut: proxy.Cut{How: proxy.Reset},
	})
	replica := dial(t, front.Addr(), ping)
	replica.gets(ping)
	require.Zero(t, front.Reset())
	require.Equal(t, proxy.Counts{}, front.Counts())
}

func TestCounts(t *testing.T) {
	t.Parallel()
	front := begin(t)
	greeted(t, front.Addr())
	client := greeted(t, front.Addr())
	client.send("12345")
	client.gets("12345")
	bytes := int64(2*len(hello) + 5)
	require.Eventually(t, func() bool {
		return front.Counts() == proxy.Counts{Dials: 2, Open: 2, Requests: bytes, Replies: bytes}
	}, patience, time.Millisecond, "%+v", front.Counts())

	client.Close()
	require.Eventually(t, func() bool { return front.Counts().Open == 1 }, patience, time.Millisecond)
}

// Whatever its connections are doing; TestMain looks for what is left.
func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	front := begin(t)
	held, finished := greeted(t, front.Addr()), greeted(t, front.Addr())
	undecided := dial(t, front.Addr(), "*1")
	require.Equal(t, 2, front.Finish())
	set(t, front, proxy.Fault{Hold: proxy.Both})
	fresh := dial(t, front.Addr(), hello)
	held.send("x")
	fresh.hearsNothing()

	front.Close()

	require.Zero(t, front.Counts().Open)
	for _, p := range []peer{fresh, undecided} {
		_, ended := p.ends()
		require.Equal(t, proxy.Reset, ended)
	}
	_, ended := finished.ends()
	require.Equal(t, proxy.Finish, ended)
	_, err := net.Dial("tcp", front.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestSeveralFrontsShareAPort(t *testing.T) {
	t.Parallel()
	first, err := proxy.Listen("127.0.0.2:0", echo(t, "one"), proxy.Plain)
	if err != nil {
		t.Skipf("skipped: this system has no 127.0.0.2: %v", err)
	}
	defer first.Close()
	_, port, err := net.SplitHostPort(first.Addr())
	require.NoError(t, err)
	second, err := proxy.Listen("127.0.0.3:"+port, echo(t, "two"), proxy.Plain)
	require.NoError(t, err)
	defer second.Close()
	dial(t, first.Addr(), hello).gets("one")
	dial(t, second.Addr(), hello).gets("two")
}
