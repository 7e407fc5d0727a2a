package keyslottest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// client is as naive as a client can be: it sends words, and hands back the raw bytes of one reply.
type client struct {
	nc net.Conn
	r  *bufio.Reader
}

func dial(addr string) (*client, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{nc, bufio.NewReader(nc)}, nil
}

func (c *client) send(args ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	_, err := io.WriteString(c.nc, b.String())
	return err
}

// reply reads one reply and returns it as it came. It gives up after five seconds.
func (c *client) reply() (string, error) {
	c.nc.SetReadDeadline(time.Now().Add(5 * time.Second))
	var b strings.Builder
	err := c.copyValue(&b)
	return b.String(), err
}

func (c *client) copyValue(b *strings.Builder) error {
	line, err := c.r.ReadString('\n')
	b.WriteString(line)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n >= 0 {
			_, err = io.CopyN(b, c.r, int64(n)+2)
		}
		return err
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		n = 0
	}
	for ; n > 0 && err == nil; n-- {
		err = c.copyValue(b)
	}
	return err
}

// do sends a command, given as words separated by spaces, and returns the raw reply.
func (c *client) do(command string) (string, error) {
	if err := c.send(strings.Fields(command)...); err != nil {
		return "", err
	}
	return c.reply()
}

// session is a client inside a test: whatever fails, fails the test.
type session struct {
	*client
	t testing.TB
}

func connect(t testing.TB, addr string) session {
	c, err := dial(addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.nc.Close() })
	return session{c, t}
}

func (s session) do(command string) string {
	reply, err := s.client.do(command)
	require.NoError(s.t, err, command)
	return reply
}

func (s session) want(reply, command string) {
	s.t.Helper()
	require.Equal(s.t, reply, strings.TrimSuffix(s.do(command), "\r\n"), command)
}

func start(t testing.TB, opts keyslottest.Options) *keyslottest.Cluster {
	c, err := keyslottest.Start(opts)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}
