package keyslot

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// unfitError says why a replica is not read from. It is no failed dial: for other purposes the node is good.
type unfitError struct {
	node   string // host:port
	reason string
}

func (e *unfitError) Error() string {
	return fmt.Sprintf("replica %s is not fit to be read from: %s", e.node, e.reason)
}

func exceptUnfit(err error) error {
	var unfit *unfitError
	if errors.As(err, &unfit) {
		return nil
	}
	return err
}

// dialReader opens a connection for reads from a replica, and lets the replica rest if that fails.
func (c *core) dialReader(ctx context.Context, n *node) (*wire.Conn, error) {
	conn, err := c.connectTo(ctx, n, wire.Options{OnSilent: func(*wire.Conn) { c.silentReplica(n) }})
	if err == nil {
		if err = c.admit(ctx, n, conn); err != nil {
			conn.Drain()
		}
	}
	c.noteFitness(n, err)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// noteFitness tells the logger of a replica that refuses to be read from, once for each reason.
func (c *core) noteFitness(n *node, err error) {
	if err == nil {
		n.reading.refused.Store(nil)
		return
	}
	var unfit *unfitError
	if !errors.As(err, &unfit) {
		if !n.reading.isConnected() { // else the connection to be replaced goes on
			n.reading.rest(c.now())
		}
		return
	}
	n.reading.rest(c.now())
	c.refresher.request("a replica is not fit")
	if old := n.reading.refused.Swap(&unfit.reason); old == nil || *old != unfit.reason {
		c.opts.Logger.Warn("keyslot: a replica is not read from", "node", unfit.node, "reason", unfit.reason)
	}
}

// admit is the gate in front of a replica: a restarted one answers that keys do not exist until it has heard from its
// primary, and nothing but its role tells. It makes the connection READONLY.
//
//	C: READONLY | ROLE
//	S: +OK      | * slave host port connected offset      fit
//	            | * slave host port handshake|sync|.. -1   not yet
//	            | * master ..                              the map is old
//	            | -NOPERM ..                               fit if two maps have listed it since it was lost
//
// Without cluster mode there is no READONLY; see unfitByName. The proxy of a serverless cache may say to both what it likes.
func (c *core) admit(ctx context.Context, n *node, conn *wire.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	kind := c.kind()
	first := "READONLY"
	if kind == standalone {
		first = "INFO replication"
	}
	replies, err := query(ctx, conn, first, "ROLE")
	if err != nil {
		return helloError(conn.Addr(), err)
	}
	reason := ""
	switch {
	case kind == serverless:
	case kind == standalone:
		reason = unfitByName(replies[1], replies[0], conn.Server(), n.info().seat > 0)
	case isError(replies[0]):
		reason = short(replies[0].Str)
	default:
		reason = unfitness(replies[1], n.reading.maps.Load() >= 2)
	}
	if reason != "" {
		return &unfitError{n.addr(), reason}
	}
	return nil
}

// unfitness returns why a node that answered ROLE so may not be read from; empty if it may. listed is what is gone by
// where the node does not tell.
func unfitness(role resp.Value, listed bool) string {
	e := role.Elems
	switch {
	case isError(role) && !isHidden(role.Str):
		return short(role.Str)
	case isError(role) && listed:
		return ""
	case isError(role):
		return "it does not tell its role, and no two maps have listed it as a replica since: " + short(role.Str)
	case role.Kind != resp.Array || len(e) < 3:
		return "its answer to ROLE makes no sense"
	case e[0].Str == "master":
		return "it is a primary by now"
	case e[0].Str != "slave" || len(e) < 5:
		return "its answer to ROLE makes no sense"
	case e[3].Str != "connected":
		return fmt.Sprintf("the state of its link to its primary is %q", short(e[3].Str))
	}
	return ""
}

// unfitByName is unfitness without cluster mode. What a reader endpoint leads to may be the primary, which answers as
// well; a node that was listed by itself is a replica or not read from. Where an ACL hides ROLE, INFO tells of the
// link, and where that is hidden too, the role in HELLO's reply has to do.
func unfitByName(role, info resp.Value, server wire.Server, byReader bool) string {
	said := readRole(role, server)
	link, told := infoField(info, "master_link_status")
	switch {
	case said.known && said.primary && byReader:
		return ""
	case !isError(role) || !isHidden(role.Str), !said.known && !told:
		return unfitness(role, false)
	case said.known && said.primary:
		return "it is a primary by now"
	case told && link != "up":
		return fmt.Sprintf("the link to its primary is %q", link)
	}
	return ""
}
