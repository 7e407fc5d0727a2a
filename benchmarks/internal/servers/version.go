package servers

import (
	"context"
	"strings"

	"github.com/keyslot-go/keyslot"
)

// askVersion asks a node of the cluster at addr for what Servers.Version returns.
func askVersion(ctx context.Context, addr string) (string, error) {
	c, err := keyslot.New(ctx, keyslot.Options{Endpoints: []string{addr}})
	if err != nil {
		return "", err
	}
	defer c.Close()
	reply, err := c.On(keyslot.ToSlot(0)).Do(ctx, "INFO", "server")
	if err != nil {
		return "", err
	}
	info, err := reply.Text()
	return versionIn(info), err
}

// versionIn reads INFO: a Valkey server names the version of Redis that it stands for, too.
func versionIn(info string) string {
	version := "redis-server of unknown version"
	for line := range strings.Lines(info) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "redis_version":
			version = "redis-server " + value
		case "valkey_version":
			return "valkey-server " + value
		}
	}
	return version
}
