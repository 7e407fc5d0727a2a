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

// learnZone finds out a node's zone on its first connection that tells, where the client knows its own.
func (c *core) learnZone(ctx context.Context, n *node, conn *wire.Conn) {
	if c.opts.AZ == "" || n.zone() != "" || n.saidZone.Load() != nil {
		return
	}
	if az, ok := c.askZone(ctx, conn); ok {
		n.saidZone.Store(&az)
	}
}

// askZone returns the zone of the node that conn leads to; empty if the node does not tell, or may not. It is not ok
// where another time may tell: a node that is loading, or busy with a script, refuses INFO. HELLO tells since Valkey
// 8.1, INFO since 8.0 and on ElastiCache.
func (c *core) askZone(ctx context.Context, conn *wire.Conn) (az string, ok bool) {
	if az := conn.Server().AZ; az != "" {
		return strings.Clone(az), true
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	replies, err := query(ctx, conn, "INFO server")
	if err != nil || isError(replies[0]) && !isHidden(replies[0].Str) {
		return "", false
	}
	az, _ = infoField(replies[0], "availability_zone")
	return az, true
}
