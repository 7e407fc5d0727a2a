package keyslot

import (
	"context"
	"strings"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// zoneVariable is the environment variable that stands in for Options.AZ.
const zoneVariable = "KEYSLOT_AZ"

// zone returns the node's availability zone, by the map or by its own words; empty if neither tells.
func (n *node) zone() string {
	if az := n.known.Load().AZ; az != "" {
		return az
	}
	if az := n.saidZone.Load(); az != nil {
		return *az
	}
	return ""
}

// learnZone finds out a node's zone on its first connection, where the client knows its own.
func (c *core) learnZone(ctx context.Context, n *node, conn *wire.Conn) {
	if c.opts.AZ == "" || n.zone() != "" || n.saidZone.Load() != nil {
		return
	}
	if az, ok := c.askZone(ctx, conn); ok {
		n.saidZone.Store(&az)
	}
}

// askZone returns the zone of the node that conn leads to; empty if the node does not tell. HELLO tells since Valkey 8.1, INFO
// since 8.0 and on ElastiCache.
func (c *core) askZone(ctx context.Context, conn *wire.Conn) (az string, ok bool) {
	if az := conn.Server().AZ; az != "" {
		return strings.Clone(az), true
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	replies, err := query(ctx, conn, "INFO server")
	if err != nil {
		return "", false
	}
	text, _ := textOf(replies[0])
	for line := range strings.Lines(text) {
		if name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); name == "availability_zone" {
			return strings.Clone(value[:min(len(value), maxNameLen)]), true
		}
	}
	return "", true
}

// fillZones adds to t, made of r, the zones that the map does not tell.
func (r *routes) fillZones(t *Topology) {
	zones := make(map[string]string, len(r.nodes))
	for _, n := range r.nodes {
		zones[n.addr()] = n.zone()
	}
	for i := range t.Shards {
		s := &t.Shards[i]
		s.Primary.AZ = zones[s.Primary.Addr()]
		for j := range s.Replicas {
			s.Replicas[j].AZ = zones[s.Replicas[j].Addr()]
		}
	}
}
