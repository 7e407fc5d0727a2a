package keyslot

import (
	"fmt"
	"net"
	"strconv"
)

// Route is where the commands of a view go: ToKey, ToSlot, ToNode, ToPrimaries or ToNodes. It is a plain value and
// belongs to no client.
type Route interface{ isRoute() }

// The routes to many nodes.
const (
	ToPrimaries broadRoute = iota + 1 // the primary of every shard
	ToNodes                           // every node of the topology, replicas too
)

// ToKey is the route to the primary that owns key's slot.
func ToKey(key string) Route { return slotRoute(Slot(key)) }

// ToSlot is the route to the primary that owns a slot, 0-16383.
func ToSlot(slot uint16) Route { return slotRoute(slot) }

// ToNode is the route to one node, named by its id (Node.ID) or by host:port (Node.Addr).
func ToNode(node string) Route { return nodeRoute(node) }

type (
	broadRoute int
	slotRoute  uint16
	nodeRoute  string
)

func (broadRoute) isRoute() {}
func (slotRoute) isRoute()  {}
func (nodeRoute) isRoute()  {}

// On returns a view of the client whose commands go where to says, whatever their keys and the command table say. Typed
// commands, Do, DoEach and pipelines run on it; Scan, HScan and their like, which follow the keys, and subscriptions,
// which choose their nodes themselves, are refused.
//
//   - ToKey, ToSlot: every command goes to the primary that owns the slot (a read with a key where ReadFrom says, within its
//     shard), and follows the slot when it moves. No command is split, so MSet and Del are atomic here; a key of another
//     slot is an *ArgumentError before anything is sent. That is also how to run a module's command whose keys the client
//     does not know.
//   - ToNode: every command goes to that node and to no other. ReadFrom does not apply, so a replica redirects even reads.
//     A MOVED, an ASK, or a replica's READONLY is returned as the ServerError that it is, not executed. A node that the
//     topology does not list is ErrUnknownNode. A node that cannot be reached is tried until the command's time ends, or
//     until the topology does not list it any more.
//   - ToPrimaries, ToNodes: every command goes to all of them at once, and their replies are joined as the command
//     table says: DBSIZE is the sum, SCRIPT EXISTS the logical and. A command that has a key, or replies that cannot be
//     joined, is an *ArgumentError before anything is sent: for those, DoEach returns them one by one. Where some nodes
//     failed, a *PartsError lists them.
//
// The last On of a chain counts; On(nil) is the client's own routing again. The view shares everything with the client,
// costs two small allocations, and is made to be kept. It does not block.
func (c *Client) On(to Route) *Client {
	t := *c.terms
	t.to = to
	return c.on(t)
}

// planOn finds where a call of a view goes, by the view's route.
func (call *call) planOn(to Route) (splits bool, err error) {
	if keys := call.Request.Keys(); len(keys) > 0 {
		call.slot = int(slotOf(call.Request.At(keys[0]))) // chooses the lane, and so keeps the order of commands on one key
	}
	switch to := to.(type) {
	case nodeRoute:
		return false, call.pin(string(to))
	case slotRoute:
		return false, call.planSlot(uint16(to))
	}
	return call.planAll()
}

// pin lets the call go to one node only.
func (call *call) pin(name string) error {
	r := call.terms.core.routes.Load()
	if r == nil { // a Lazy client's first command, planned before there is a map
		return nil
	}
	if call.pinned = r.named(name); call.pinned == nil {
		call.terms.core.refresher.request("a node that is not known") // it may have joined a moment ago
		return call.fail(NotExecuted, r.lacks(name))
	}
	return nil
}

// pinByView lets the call go to the node of its view only, if the view is for one.
func (call *call) pinByView() error {
	if to, ok := call.terms.to.(nodeRoute); ok {
		return call.pin(string(to))
	}
	return nil
}

// planSlot lets the call go to the owner of a slot only.
func (call *call) planSlot(slot uint16) error {
	if slot >= slotCount {
		return call.refuse(0, fmt.Sprintf("there is no slot %d, the last one is %d", slot, slotCount-1))
	}
	call.slot = int(slot)
	if call.terms.core.isStandalone() {
		return nil
	}
	if k, other := call.strayKey(int(slot)); k > 0 {
		return call.refuse(k, fmt.Sprintf("%s is in slot %d, and the commands of this view are for slot %d", call.keyAt(k), other, slot))
	}
	return nil
}

// lacks is the error of a name that named does not find.
func (r *routes) lacks(name string) error {
	return fmt.Errorf("%w: %q is none of the %d that are known", ErrUnknownNode, name, len(r.nodes))
}

// named returns the node with this id, or at this address by any of its names; nil if there is none.
func (r *routes) named(name string) *node {
	host, port, _ := net.SplitHostPort(name)
	number, err := strconv.Atoi(port)
	for i, info := range r.slotMap.nodes {
		isID := info.ID != "" && info.ID == name
		if !isID && (err != nil || number != info.Port || !info.answersTo(host)) {
			continue
		}
		// Of two ids listed at one address only one is a process that runs.
		if n := r.nodes[i]; !isID || n.info().ID == name {
			return n
		}
	}
	return nil
}
