// Command rueidis is one of the programs of package coldstart.
package main

import (
	"context"
	"crypto/tls"

	"github.com/redis/rueidis"

	"github.com/keyslot-go/keyslot/benchmarks/coldstart/first"
)

func main() {
	first.Run(func(endpoint string, conf *tls.Config, key string) (string, error) {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{endpoint}, TLSConfig: conf})
		if err != nil {
			return "", err
		}
		return client.Do(context.Background(), client.B().Get().Key(key).Build()).ToString()
	})
}
