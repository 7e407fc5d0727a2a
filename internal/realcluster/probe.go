package realcluster

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// ErrNil is returned for a null reply.
var ErrNil = errors.New("realcluster: null reply")

// ServerError is an error reply, without its leading '-': "MOVED 866 127.0.0.1:7001".
type ServerError string

func (e ServerError) Error() string { return string(e) }

// Conn is one plain RESP2 connection to a node. It is for one goroutine at a time.
type Conn struct {
	net net.Conn
	in  *bufio.Reader
}

// Dial connects to n, over TLS and with the harness's own user where the cluster needs them, and blocks until that is
// done or ctx ends; never through a front. A frozen node still accepts connections; only a reply proves that it lives.
func (c *Cluster) Dial(ctx context.Context, n *Node) (*Conn, error) {
	dial := (&net.Dialer{}).DialContext
	if c.tls != nil {
		dial = (&tls.Dialer{Config: c.tls.client}).DialContext
	}
	raw, err := dial(ctx, "tcp", n.server)
	if err != nil {
		return nil, err
	}
	conn := &Conn{net: raw, in: bufio.NewReader(raw)}
	if c.secured() {
		if _, err := conn.Do(ctx, "AUTH", adminUser, c.adminPassword); err != nil {
			conn.Close()
			return nil, fmt.Errorf("AUTH as the harness's user: %w", err)
		}
	}
	return conn, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.net.Close() }

// Do sends one command and blocks until its reply is here or ctx ends, after which the connection is useless. Scalars
// come back as text; the elements of an array, nested ones too, one a line. A null is ErrNil, an error reply a
// ServerError.
func (c *Conn) Do(ctx context.Context, args ...string) (string, error) {
	r, err := c.roundTrip(ctx, args...)
	if err != nil {
		return "", err
	}
	return r.value()
}

// Do sends one command to n on a connection of its own, as Conn.Do does. It follows no redirect. Safe for concurrent use.
func (c *Cluster) Do(ctx context.Context, n *Node, args ...string) (string, error) {
	r, err := c.ask(ctx, n, args...)
	if err != nil {
		return "", err
	}
	return r.value()
}

func (c *Cluster) ask(ctx context.Context, n *Node, args ...string) (reply, error) {
	conn, err := c.Dial(ctx, n)
	if err != nil {
		return reply{}, fmt.Errorf("%s %s: %w", n, args[0], err)
	}
	defer conn.Close()
	r, err := conn.roundTrip(ctx, args...)
	if err != nil {
		return reply{}, fmt.Errorf("%s %s: %w", n, args[0], err)
	}
	return r, nil
}

func (c *Conn) roundTrip(ctx context.Context, args ...string) (reply, error) {
	// Ending the wait by deadline also covers a cancelled ctx, and a server that is stopped.
	stop := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	_, err := io.WriteString(c.net, request.String())
	var r reply
	if err == nil {
		r, err = readReply(c.in)
	}
	if err != nil && ctx.Err() != nil {
		return reply{}, ctx.Err()
	}
	return r, err
}

// reply is one RESP2 reply: text, or elements, or null.
type reply struct {
	text  string
	elems []reply
	null  bool
}

// value returns the reply as Conn.Do tells it.
func (r reply) value() (string, error) {
	if r.null {
		return "", ErrNil
	}
	return r.String(), nil
}

func (r reply) String() string {
	if r.elems == nil {
		return r.text
	}
	lines := make([]string, len(r.elems))
	for i, e := range r.elems {
		lines[i] = e.String()
	}
	return strings.Join(lines, "\n")
}

// at returns the element at a path of indexes, and an empty reply where there is none.
func (r reply) at(path ...int) reply {
	for _, i := range path {
		if i >= len(r.elems) {
			return reply{}
		}
		r = r.elems[i]
	}
	return r
}

func readReply(in *bufio.Reader) (reply, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return reply{}, err
	}
	if len(line) < 3 {
		return reply{}, fmt.Errorf("reply line %q is too short", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '+', ':':
		return reply{text: text}, nil
	case '-':
		return reply{}, ServerError(text)
	case '$', '*':
		n, err := strconv.Atoi(text)
		if err != nil {
			return reply{}, fmt.Errorf("reply line %q has no length", line)
		}
		if n < 0 {
			return reply{null: true}, nil
		}
		if kind == '$' {
			return readBulk(in, n)
		}
		return readArray(in, n)
	}
	return reply{}, fmt.Errorf("reply line %q has an unknown type", line)
}

func readBulk(in *bufio.Reader, n int) (reply, error) {
	b := make([]byte, n+2)
	if _, err := io.ReadFull(in, b); err != nil {
		return reply{}, err
	}
	return reply{text: string(b[:n])}, nil
}

func readArray(in *bufio.Reader, n int) (reply, error) {
	r := reply{elems: make([]reply, n)}
	for i := range r.elems {
		elem, err := readReply(in)
		var inner ServerError
		// An error inside an array, as EXEC gives, is an element like any other.
		if errors.As(err, &inner) {
			elem, err = reply{text: string(inner)}, nil
		}
		if err != nil {
			return reply{}, err
		}
		r.elems[i] = elem
	}
	return r, nil
}
