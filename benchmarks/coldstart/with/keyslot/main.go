// Command keyslot is one of the programs of package coldstart.
package main

import (
	"context"
	"crypto/tls"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/benchmarks/coldstart/first"
)

func main() {
	first.Run(func(endpoint string, conf *tls.Config, key string) (string, error) {
		ctx := context.Background()
		client, err := keyslot.New(ctx, keyslot.Options{Endpoints: []string{endpoint}, TLS: conf, Lazy: true})
		if err != nil {
			return "", err
		}
		return client.Get(ctx, key)
	})
}
