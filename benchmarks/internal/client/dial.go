package client

import (
	"context"
	"crypto/tls"
	"net"
)

// dial connects to addr, with TLS unless config is nil.
func dial(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
}
