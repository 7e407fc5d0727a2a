package keyslottest

import "fmt"

// The errors by which a node refuses to serve keys.
const (
	errCrossSlot  = "CROSSSLOT Keys in request don't hash to the same slot"
	errTryAgain   = "TRYAGAIN Multiple keys request during rehashing of slot"
	errUnassigned = "CLUSTERDOWN Hash slot not served"
	errDown       = "CLUSTERDOWN The cluster is down"
	errNoCluster  = "ERR This instance has cluster support disabled"
)

// route decides whether the node of cn serves the requests (one command, or what EXEC is to run). It returns the error
// to send instead, or "". The order of the checks is that of the server's getNodeByQuery, since clients can see it: a
// CROSSSLOT hides a MOVED, but an unserved slot hides a CROSSSLOT.
//
// sharded says that the one command is about shard channels, which are no keys: they are neither present nor missing,
// any node of the shard has them, and a cluster that is down does. To EXEC they are keys like others.
func (c *Cluster) route(cn *conn, requests []request, write, sharded bool) (refusal string) {
	if c.opts.Standalone {
		return ""
	}
	var (
		keys     keyTally
		here     = cn.node
		anything bool
	)
	for _, r := range requests {
		for _, key := range r.keys {
			slot := slotOf(key)
			if !anything {
				anything = true
				keys = keyTally{slot: slot, first: key, migration: c.migrations[slot]}
				if c.owner[slot] == nil {
					return errUnassigned
				}
			} else if slot != keys.slot {
				return errCrossSlot
			} else if key != keys.first {
				keys.several = true
			}
			if keys.migration != nil && !sharded {
				keys.count(keys.migration.holds(c.store, here, key))
			}
		}
	}
	if !anything {
		return ""
	}
	if c.down() && !sharded {
		return errDown
	}
	owner := c.owner[keys.slot]
	serves := here == owner.primary || here.shard == owner && !write && (cn.readonly || sharded)
	if m := keys.migration; m != nil {
		// A replica of the source answers as the source does. That is Valkey 8; before, it took moved keys for missing.
		switch {
		case serves && keys.missing > 0 && keys.existing > 0:
			return errTryAgain
		case serves && keys.missing > 0:
			return c.redirect("ASK", keys.slot, m.to.primary)
		case here == m.to.primary && cn.asking && keys.several && keys.missing > 0:
			return errTryAgain
		case here == m.to.primary && cn.asking:
			return ""
		}
	}
	if serves {
		return ""
	}
	return c.redirect("MOVED", keys.slot, owner.primary)
}

// keyTally is what route learns about the keys it looks at.
type keyTally struct {
	slot              uint16
	first             string
	several           bool
	migration         *Migration
	missing, existing int
}

func (t *keyTally) count(present bool) {
	if present {
		t.existing++
	} else {
		t.missing++
	}
}

func (c *Cluster) redirect(kind string, slot uint16, to *node) string {
	return fmt.Sprintf("%s %d %s:%d", kind, slot, c.opts.host(), to.port)
}

// host is the name that redirects give to nodes.
func (o Options) host() string {
	switch o.Announce {
	case AnnounceHostname:
		return o.Hostname
	case AnnounceNoHostname:
		return "?"
	case AnnounceEmpty, AnnounceUnknown:
		return ""
	default:
		return loopbackIP
	}
}

const loopbackIP = "127.0.0.1"
