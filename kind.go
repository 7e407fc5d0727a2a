package keyslot

import "strings"

// kind is what answers at the endpoints.
type kind uint8

const (
	sharded    kind = iota // cluster mode: each shard has its slots
	standalone             // cluster mode disabled: all slots are those of one primary, whose replicas do not know of slots
	serverless             // a proxy that poses as a primary and a replica, which never change
)

// kind returns what the client talks to; sharded before anything is known.
func (c *core) kind() kind {
	if r := c.routes.Load(); r != nil {
		return r.kind
	}
	return sharded
}

// isStandalone reports whether one server has all keys, so that no command has to be split, or refused for the
// slots of its keys.
func (c *core) isStandalone() bool { return c.kind() == standalone }

// The ports of a serverless cache: everything, and reads that may be old (ElastiCache User Guide, "Read replicas").
const (
	serverlessPort       = 6379
	serverlessReaderPort = 6380
)

// isServerless reports whether the answer is that of a serverless cache: one range of slots, and one name at both ports.
//
//	0-16383, primary orders-abc123.serverless.use1.cache.amazonaws.com 6379, replica the same name 6380
func (v *view) isServerless() bool {
	if len(v.shards) != 1 || v.covered != slotCount {
		return false
	}
	for i, n := range v.nodes {
		port := serverlessReaderPort
		if i == v.shards[0].primary {
			port = serverlessPort
		}
		if n.Port != port || n.ServerName() != v.nodes[0].ServerName() {
			return false
		}
	}
	return isServerlessName(v.nodes[0].ServerName())
}

// isServerlessName reports whether ElastiCache gives such names to serverless caches:
// <cache>.serverless.<code of the Region>.cache.amazonaws.com[.cn].
func isServerlessName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	front, ok := strings.CutSuffix(strings.TrimSuffix(host, ".cn"), ".cache.amazonaws.com")
	labels := strings.Split(front, ".")
	if !ok || len(labels) != 3 || labels[0] == "" || labels[1] != "serverless" {
		return false
	}
	area := strings.TrimRight(labels[2], "123456789")
	return len(labels[2]) == len(area)+1 && len(area) >= 3 && strings.Trim(area, "abcdefghijklmnopqrstuvwxyz") == ""
}

// hideBackends makes the nodes of a serverless cache what they are, its name at two ports: ids and addresses are those
// of servers behind the proxy, which come and go.
func (v *view) hideBackends() {
	for _, n := range v.nodes {
		*n = Node{Host: n.ServerName(), Port: n.Port, AZ: n.AZ}
	}
	v.fromID = ""
}
