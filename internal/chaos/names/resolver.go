package names

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Resolver asks a Server. It is a keyslot.Resolver, and safe for concurrent use.
type Resolver struct {
	Server string // Server.Addr
}

// LookupNetIP returns the records of host, of either family whatever network says. A name without records and a lookup that
// fails are errors of type *net.DNSError, as net.Resolver gives. It blocks until the Server has answered, or ctx ends.
func (r Resolver) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	line, err := r.ask(ctx, host)
	if err != nil {
		// As with net.Resolver, what went wrong is text, and says nothing of whether the name exists.
		return nil, &net.DNSError{Err: err.Error(), Name: host, Server: r.Server, IsTemporary: true, IsTimeout: ctx.Err() != nil}
	}
	verdict, records, _ := strings.Cut(line, " ")
	switch verdict {
	case gone:
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: r.Server, IsNotFound: true}
	case failed:
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, Server: r.Server, IsTemporary: true}
	}
	var addrs []netip.Addr
	for record := range strings.FieldsSeq(records) {
		addr, err := netip.ParseAddr(record)
		if err != nil {
			return nil, fmt.Errorf("record of %s: %w", host, err)
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// ask sends one name and reads one line.
//
//	C: cfg.keyslot.test\n
//	S: found 127.0.0.2 127.0.0.3\n    or  gone\n  or  failed\n
func (r Resolver) ask(ctx context.Context, host string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Server)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintln(conn, host); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}
