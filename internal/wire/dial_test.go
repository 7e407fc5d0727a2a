package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

func tapeOf(node *fakenode.Node) (lines []string) {
	for _, r := range node.Tape() {
		lines = append(lines, strings.Join(r.Args, " "))
	}
	return lines
}

func TestHelloIntroducesTheClientInOneCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		opts.Password, opts.ClientName = "secret", "orders"
		conn := connect(t, opts)
		require.Equal(t, wire.Server{Proto: 3, Mode: "cluster"}, conn.Server())
		require.Equal(t, []string{"HELLO 3 AUTH default secret SETNAME orders"}, tapeOf(node))
	})
}

func TestLibraryNameTravelsWithTheFirstCommandAndNeedsNoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		node.On("CLIENT SETINFO", fakenode.Reaction{Send: "-ERR unknown subcommand\r\n"})
		opts.LibName, opts.LibVer = "keyslot", "0.1"
		conn := connect(t, opts)
		synctest.Wait()
		require.Equal(t, []string{"HELLO 3"}, tapeOf(node), "an unused connection says nothing more")

		reply, err := try(t.Context(), conn, "GET", "a")
		require.NoError(t, err)
		require.Equal(t, "+a\r\n", reply)
		require.Equal(t, []string{"CLIENT SETINFO LIB-NAME keyslot", "CLIENT SETINFO LIB-VER 0.1", "GET a"}, commands(node))
	})
}

func TestServersWithoutHelloAreSpokenToInRESP2(t *testing.T) {
	for _, refusal := range []string{
		"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
		"-NOPROTO unsupported protocol version\r\n",
		"-NOPERM this user has no permissions to run the 'hello' command\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.On("HELLO", fakenode.Reaction{Send: refusal})
			node.On("CLIENT SETNAME", fakenode.Reaction{Send: "-NOPERM no\r\n"})
			opts.Username, opts.Password, opts.ClientName = "ann", "secret", "orders"
			conn := connect(t, opts)
			require.Equal(t, 2, conn.Server().Proto)
			require.Equal(t, []string{
				"HELLO 3 AUTH ann secret SETNAME orders",
				"AUTH ann secret", "CLIENT SETNAME orders", "PING",
			}, tapeOf(node), refusal)
		})
	}
}

func TestHandshakeFailures(t *testing.T) {
	const noHello = "-ERR unknown command 'HELLO'\r\n"
	var (
		malformed *resp.ProtocolError
		refused   wire.Refusal
		dead      = func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
		eof       = func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
		garbage   = func(err error) bool { return errors.As(err, &malformed) }
		surplus   = func(err error) bool { return errors.Is(err, wire.ErrSurplusReply) }
		refusal   = func(err error) bool { return errors.As(err, &refused) }
	)
	for name, c := range map[string]struct {
		script map[string]fakenode.Reaction
		greet  *fakenode.Reaction
		phase  wire.Phase
		is     func(error) bool
	}{
		"wrong password": {phase: wire.PhaseAuth, is: refusal, script: map[string]fakenode.Reaction{
			"HELLO": {Send: "-WRONGPASS invalid username-password pair or user is disabled.\r\n"}}},
		"no password": {phase: wire.PhaseAuth, is: refusal, script: map[string]fakenode.Reaction{
			"HELLO": {Send: "-NOAUTH HELLO must be called with the client already authenticated\r\n"}}},
		"wrong password, RESP2": {phase: wire.PhaseAuth, is: refusal, script: map[string]fakenode.Reaction{
			"HELLO": {Send: noHello}, "AUTH": {Send: "-ERR invalid password\r\n"}}},
		"no password, RESP2": {phase: wire.PhaseAuth, is: refusal, script: map[string]fakenode.Reaction{
			"HELLO": {Send: noHello}, "PING": {Send: "-NOAUTH Authentication required.\r\n"}}},
		"max clients": {phase: wire.PhaseHello, is: refusal,
			greet: &fakenode.Reaction{Send: "-ERR max number of clients reached\r\n", End: fakenode.FIN}},
		"protected mode": {phase: wire.PhaseHello, is: refusal,
			greet: &fakenode.Reaction{Send: "-DENIED Redis is running in protected mode\r\n", End: fakenode.FIN}},
		"another protocol": {phase: wire.PhaseHello, is: garbage, script: map[string]fakenode.Reaction{
			"HELLO": {Send: "HTTP/1.1 400 Bad Request\r\n\r\n"}}},
		"a reply that is not HELLO's": {phase: wire.PhaseHello, is: func(err error) bool { return errors.Is(err, wire.ErrNotHello) },
			script: map[string]fakenode.Reaction{"HELLO": {Send: "+OK\r\n"}}},
		"too long a line": {phase: wire.PhaseHello, is: garbage, script: map[string]fakenode.Reaction{
			"HELLO": {Send: "-" + strings.Repeat("x", 5000)}}},
		"too large a map": {phase: wire.PhaseHello, is: garbage, script: map[string]fakenode.Reaction{
			"HELLO": {Send: "%1000000\r\n"}}},
		"a second reply": {phase: wire.PhaseHello, is: surplus, script: map[string]fakenode.Reaction{
			"HELLO": {Send: fakenode.Hello + "+OK\r\n"}}},
		"half of a second reply": {phase: wire.PhaseHello, is: surplus, script: map[string]fakenode.Reaction{
			"HELLO": {Send: fakenode.Hello + "+O"}}},
		"half a reply, then FIN": {phase: wire.PhaseHello, is: eof, script: map[string]fakenode.Reaction{
			"HELLO": {Send: fakenode.Hello[:20], End: fakenode.FIN}}},
		"reset": {phase: wire.PhaseHello, is: dead, script: map[string]fakenode.Reaction{
			"HELLO": {End: fakenode.RST}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				for command, reaction := range c.script {
					node.On(command, reaction)
				}
				if c.greet != nil {
					node.Greet(*c.greet)
				}
				opts.Password = "secret"
				if strings.HasPrefix(name, "no password") {
					opts.Password = ""
				}
				_, err := wire.Dial(t.Context(), opts)
				var failed *wire.DialError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, c.phase, failed.Phase, "%v", err)
				require.Equal(t, nodeAddr, failed.Addr)
				require.True(t, c.is(err), "%v", err)
				synctest.Wait()
				require.Zero(t, node.Open(), "no connection is left behind")
			})
		})
	}
}

// What has gone stale between being asked for and being checked is asked for once more; the same again is not sent.
func TestRefusedCredentialsAreAskedForOnceMore(t *testing.T) {
	for _, test := range []struct {
		name, again string
		hellos      int
		err         error
	}{
		{"better ones", "fresh", 2, nil},
		{"others as bad", "bad", 2, wire.Refusal(wrongpass)},
		{"the same", "stale", 1, wire.Refusal(wrongpass)},
		{"none", "", 1, wire.Refusal(wrongpass)},
	} {
		node, opts := newNode(t)
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			return fakenode.Reaction{Send: "-" + wrongpass + "\r\n"}, r.Name() == "HELLO" && r.Args[4] != "fresh"
		})
		opts.Username, opts.Password = "app", "stale"
		opts.Relogin = func(context.Context) (string, string, error) {
			if test.again == "" {
				return "", "", errors.New("provider is down")
			}
			return "app", test.again, nil
		}
		conn, err := wire.Dial(t.Context(), opts)
		require.ErrorIs(t, err, test.err, test.name)
		require.Len(t, node.Tape(), test.hellos, test.name)
		require.Zero(t, node.Tape()[test.hellos-1].Conn, "on one connection")
		if err == nil {
			conn.Close()
		}
	}
}

const wrongpass = "WRONGPASS invalid username-password pair or user is disabled."

func TestServerThatTurnsClientsAwayIsHeardEvenIfItIsFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Greet(fakenode.Reaction{Send: "-ERR max number of clients reached\r\n", End: fakenode.FIN})
		dial := opts.Dial
		opts.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			synctest.Wait()
			return conn, err
		}
		_, err := wire.Dial(t.Context(), opts)
		require.ErrorContains(t, err, "max number of clients reached")

		node.Greet(fakenode.Reaction{End: fakenode.FIN})
		_, err = wire.Dial(t.Context(), opts)
		require.ErrorIs(t, err, syscall.EPIPE)
	})
}

func TestRefusedDialIsOfThePhaseDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, opts := newNode(t)
		opts.Addr = "elsewhere:1"
		_, err := wire.Dial(t.Context(), opts)
		var failed *wire.DialError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, wire.PhaseDial, failed.Phase)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
}

// A stopped process accepts connections: only the reply to HELLO proves life.
func TestSilentHandshakeEndsWithTheContext(t *testing.T) {
	stages := map[string]func(*fakenode.Node){
		"nothing is read":    (*fakenode.Node).StopReading,
		"HELLO is swallowed": func(n *fakenode.Node) { n.On("HELLO", fakenode.Reaction{}) },
		"half a reply":       func(n *fakenode.Node) { n.On("HELLO", fakenode.Reaction{Send: "%3\r\n$6"}) },
		"one byte in a second": func(n *fakenode.Node) {
			n.On("HELLO", fakenode.Reaction{Send: fakenode.Hello, Piece: 1, Gap: time.Second})
		},
		"AUTH is swallowed": func(n *fakenode.Node) {
			n.On("HELLO", fakenode.Reaction{Send: "-NOPROTO\r\n"})
			n.On("AUTH", fakenode.Reaction{})
		},
	}
	for name, stall := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				opts.Password = "secret"
				stall(node)
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				_, err := wire.Dial(ctx, opts)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 2*time.Second, time.Since(begin))

				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				_, err = wire.Dial(ctx, opts)
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, 3*time.Second, time.Since(begin))
				var failed *wire.DialError
				require.ErrorAs(t, err, &failed)
			})
		})
	}
}

func TestPushesDuringTheHandshakeAreNotItsReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		node.On("HELLO", fakenode.Reaction{Send: ">2\r\n+hello\r\n:1\r\n" + fakenode.Hello, Piece: 5, Gap: time.Millisecond})
		conn := connect(t, opts)
		require.Equal(t, 3, conn.Server().Proto)
		reply, err := try(t.Context(), conn, "GET", "a")
		require.NoError(t, err)
		require.Equal(t, "+a\r\n", reply)
	})
}
