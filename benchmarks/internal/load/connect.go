package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
)

func connect(ctx context.Context, spec Spec) (client.Client, error) {
	cfg := client.Config{Addrs: spec.Addrs, Detour: spec.Detour, CA: []byte(spec.CA)}
	if spec.CA != "" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(spec.CA)) {
			return nil, errors.New("the certificate of the cluster's authority cannot be read")
		}
		cfg.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return client.Open(ctx, spec.Client, cfg)
}
