package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// client speaks as much RESP2 as COMMAND needs. The server is trusted: a developer started it to be dumped.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func newClient(conn net.Conn) *client {
	return &client{conn: conn, in: bufio.NewReader(conn)}
}

// call sends one command and returns its reply: string, int, []any, or nil.
func (c *client) call(args ...string) (any, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c.conn, out.String()); err != nil {
		return nil, err
	}
	v, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return v, nil
}

func (c *client) read() (any, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return nil, fmt.Errorf("empty line in a reply")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, fmt.Errorf("server says: %s", rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return nil, fmt.Errorf("bad reply line %q", line)
	}
	switch {
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case kind == '$':
		text := make([]byte, n+2)
		if _, err := io.ReadFull(c.in, text); err != nil {
			return nil, err
		}
		return string(text[:n]), nil
	case kind == '*':
		return c.readArray(n)
	}
	return nil, fmt.Errorf("bad reply line %q", line)
}

func (c *client) readArray(n int) (any, error) {
	elems := make([]any, n)
	for i := range elems {
		v, err := c.read()
		if err != nil {
			return nil, err
		}
		elems[i] = v
	}
	return elems, nil
}
