// Command goredis is one of the programs of package coldstart.
package main

import (
	"context"
	"crypto/tls"

	"github.com/redis/go-redis/v9"

	"github.com/keyslot-go/keyslot/benchmarks/coldstart/first"
)

func main() {
	first.Run(func(endpoint string, conf *tls.Config, key string) (string, error) {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{endpoint}, TLSConfig: conf})
		return client.Get(context.Background(), key).Result()
	})
}
