package keyslot

import (
	"cmp"
	"context"
	"slices"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// NodeReply is what one node answered to DoEach.
type NodeReply struct {
	Node  Node
	Reply Reply
	Err   error // an *Error; nil where there is a reply
}

// DoEach runs a command once on each of several nodes and returns what each said: for replies that nobody can join,
// such as those of INFO or LATENCY LATEST, and for those that Do asks of one node, such as CONFIG GET. The nodes are
// those of the view's route (see On); without one, all nodes for a command that the command table wants on all of them
// or that is done to one node, such as CLUSTER FORGET, and all primaries for any other. Arguments are those of Do. A
// command that has a key is refused, unless the route is to one node.
//
// Replies are in no particular order. The error is nil if every node answered, a *PartsError that lists those that did
// not, or how the call failed as a whole. It blocks as Do does, and asks all nodes at once.
func (c *Client) DoEach(ctx context.Context, args ...any) ([]NodeReply, error) {
	args = marshal(args)
	call := c.terms.begin()
	defer call.release()
	call.encode(args)
	call.ownTrouble()
	var replies []NodeReply
	call.each = &replies
	err := call.exec(ctx)
	return replies, err
}

// planEach finds the nodes that a call of DoEach goes to.
func (call *call) planEach() (splits bool, err error) {
	if to := call.terms.to; to != nil {
		_, err = call.planOn(to)
	} else {
		_, err = call.planAll()
	}
	if err == nil && call.blocks {
		err = call.refuse(0, call.Name()+" waits at the server: run it by Do")
	}
	return true, err
}

// planKeyless routes a command without a key: to any primary, or to all nodes that its policy names.
func (call *call) planKeyless() (splits bool, err error) {
	call.slot = command.NoSlot
	if call.Cmd == nil {
		return false, nil
	}
	if slot, ok := call.Cmd.SlotArg(&call.Request); ok { // only the slot's owner can count its keys
		call.slot = int(slot)
		return false, nil
	}
	switch call.Cmd.Request {
	case spec.RequestAllShards, spec.RequestAllNodes:
		if call.Cmd.Name == "RANDOMKEY" {
			call.seeking = true
			return false, nil
		}
		return call.planAll()
	case spec.RequestSpecial:
		use := "use "
		if call.Cmd.Name == "SCAN" {
			use += "Client.Scan, or "
		}
		return false, call.refuse(0, call.Cmd.Name+" walks one node at a time: "+use+"a view made by Client.On(ToNode(...))")
	}
	return false, nil
}

// keylessNode returns the primary that a command without a key goes to: any, but for PUBLISH. A message reaches the
// subscribers of every node from whichever node takes it, and those that nodes hand on to each other may overtake one
// another: what is for one channel goes by way of one node, that which owns the channel's slot as if it were a key,
// unless it does not take it. The slot is not the call's: no server redirects a PUBLISH, and a transaction may have one
// for any channel.
func (call *call) keylessNode(r *routes) *node {
	first := call
	if call.tx != nil {
		first = call.tx.flight.at(0)
	}
	if first.Cmd != spec.PUBLISH.Command() || first.Request.Len() < 2 {
		return cmp.Or(r.anyPrimary(call.empty...), r.anyPrimary())
	}
	home := r.primary(slotOf(first.Request.At(1)))
	if home != nil && home.readiness() != failing && call.attempts < freeResends {
		return home
	}
	return cmp.Or(r.anyPrimary(home), home)
}

// planAll routes a command to several nodes.
func (call *call) planAll() (splits bool, err error) {
	keys := call.Request.Keys()
	switch {
	case len(keys) > 0 && call.Cmd != nil: // of a command that the table does not know, the key is a guess
		return false, call.refuse(keys[0], "is a key, which belongs to one node: "+call.Name()+" cannot run on several")
	case call.each == nil && !joinable(call.Cmd):
		return false, call.refuse(0, call.Name()+ofOneNode(call.Cmd))
	}
	call.slot = command.NoSlot
	return true, nil
}

// ofOneNode says why a command needs to be told its node, and how that is done.
func ofOneNode(cmd *spec.Command) string {
	if cmd != nil && cmd.Response == spec.ResponseSpecial && cmd.Flags&(spec.ReadOnly|spec.SideEffectFree) == 0 {
		return " is done to one node: run it there with a view made by Client.On(ToNode(...)), or on several with Client.DoEach"
	}
	return " has an answer of its own on each node: " +
		"run it on all with Client.DoEach, or on one with a view made by Client.On(ToNode(...))"
}

// joinable reports whether the table says how the replies of several nodes become one. By default arrays are put
// together, which suits the commands that are meant for several nodes.
func joinable(cmd *spec.Command) bool {
	switch {
	case cmd == nil, cmd.Response == spec.ResponseSpecial:
		return false
	case cmd.Response == spec.ResponseDefault:
		return cmd.Request == spec.RequestAllShards || cmd.Request == spec.RequestAllNodes
	}
	return true
}

// splitByNode makes a part for each node that the call concerns.
func (f *flight) splitByNode(call *call) {
	r := f.core.routes.Load()
	switch {
	case call.terms.to == ToNodes, call.terms.to == nil && call.wantsAllNodes():
		for _, n := range r.nodes {
			f.addNode(call, command.NoSlot, n)
		}
	case call.terms.to == ToPrimaries, call.terms.to == nil:
		f.splitByShard(call, r)
	default:
		f.addNode(call, call.slot, call.pinned)
	}
}

func (call *call) wantsAllNodes() bool {
	return call.Cmd != nil && call.Cmd.Request == spec.RequestAllNodes
}

// splitByShard makes a part for each primary.
func (f *flight) splitByShard(call *call, r *routes) {
	s := call.split
	for i := range r.shards {
		primary, slot := r.shards[i].primary, command.NoSlot
		var n *node
		if primary >= 0 {
			n = r.nodes[primary]
		} else if slot = r.firstSlot(i); slot == command.NoSlot {
			continue // a shard without slots has nothing to say
		}
		if f.addNode(call, slot, n) {
			p := &s.parts[len(s.parts)-1]
			p.of, p.home = s, r
		}
	}
}

// addNode makes the part for a node, or for the owner of a slot, and reports whether it did: a map may list two
// ids at one address.
func (f *flight) addNode(call *call, slot int, n *node) bool {
	s := call.split
	if n != nil && s.has(n) {
		return false
	}
	sub := f.part(call, slot, n)
	f.begin(&sub.Request)
	for i := range call.Request.Len() {
		sub.Request.ArgBytes(call.Request.At(i))
	}
	s.parts = append(s.parts, part{call: sub})
	return true
}

// has reports whether one of the parts is for n.
func (s *split) has(n *node) bool {
	return slices.ContainsFunc(s.parts, func(p part) bool { return p.pinned == n })
}

// primaryFor returns where a part of a command for all primaries goes: to the node that it was made for as long as that
// one leads a shard, and then to the one that took its slots over. It fails with errCovered where other parts do
// already: what was answered stays, and together the parts cover every slot once.
func (s *split) primaryFor(sub *call, now *routes) (*node, error) {
	if sub.pinned != nil && now.leads(sub.pinned) {
		return sub.pinned, nil
	}
	at := slices.IndexFunc(s.parts, func(p part) bool { return p.call == sub })
	heir, err := s.heir(&s.parts[at], now)
	if err != nil {
		return nil, err
	}
	sub.pinned, s.parts[at].home = heir, now
	return heir, nil
}

// heir returns the node that leads what the part's node led at home, and has no part of its own.
func (s *split) heir(p *part, now *routes) (heir *node, err error) {
	for slot := range uint16(slotCount) {
		if p.pinned != p.home.primary(slot) || p.pinned == nil && p.slot != int(slot) {
			continue
		}
		switch owner := now.primary(slot); {
		case owner == nil:
			return nil, errNoOwner
		case owner == heir, s.has(owner):
		case heir != nil:
			return nil, errScattered
		default:
			heir = owner
		}
	}
	if heir == nil {
		return nil, errCovered
	}
	return heir, nil
}

// replies returns what each node said, and what became of it where it said nothing.
func (s *split) replies() []NodeReply {
	out := make([]NodeReply, len(s.parts))
	for i, part := range s.parts {
		if part.err == nil {
			out[i].Reply, part.err = part.decode()
		}
		out[i].Err = part.err
		if n := cmp.Or(part.pinned, part.node, part.tried); n != nil {
			out[i].Node = n.info()
		}
	}
	return out
}
