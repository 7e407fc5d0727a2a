package main

import (
	"fmt"
	"net"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// client asks one question at a time, in RESP2, which is what a server speaks until told otherwise.
type client struct {
	conn    net.Conn
	in      []byte // received but not yet scanned
	scanner resp.Scanner
}

// call sends one command and returns its reply; an error reply is an error.
func (c *client) call(args ...string) (resp.Value, error) {
	v, err := c.roundTrip(args)
	if err == nil && v.Kind == resp.SimpleError {
		err = fmt.Errorf("the server says: %s", v.Str)
	}
	if err != nil {
		return resp.Value{}, fmt.Errorf("%s: %w", args[0], err)
	}
	return v, nil
}

func (c *client) roundTrip(args []string) (resp.Value, error) {
	var r resp.Request
	for _, a := range args {
		r.Arg(a)
	}
	if _, err := c.conn.Write(r.Frame()); err != nil {
		return resp.Value{}, err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := c.scanner.Scan(c.in)
		if err != nil {
			return resp.Value{}, err
		}
		if n > 0 {
			v, err := resp.Decode(c.in[:n])
			c.in = c.in[n:]
			return v, err
		}
		m, err := c.conn.Read(buf)
		c.in = append(c.in, buf[:m]...)
		if err != nil {
			return resp.Value{}, err
		}
	}
}
