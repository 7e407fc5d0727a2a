package keyslottest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// topicKind is what can be subscribed to. Each kind has its own names, so that a channel, a pattern and a shard channel
// may be called the same.
type topicKind int

const (
	channels topicKind = iota
	patterns
	shardChannels
	topicKinds
)

// topicWords are what the server calls them: in commands, confirmations and messages.
var topicWords = [topicKinds]struct{ subscribe, unsubscribe, message string }{
	{"subscribe", "unsubscribe", "message"},
	{"psubscribe", "punsubscribe", "pmessage"},
	{"ssubscribe", "sunsubscribe", "smessage"},
}

// subscribers are the clients of one node, by what they are subscribed to, in the order in which they came.
type subscribers [topicKinds]map[string][]*conn

// subscriptions are what one client is subscribed to, with the place of each in the order of its subscribing.
type subscriptions struct {
	names [topicKinds]map[string]int
	last  int
}

func pubsubHandlers() map[string]handler {
	table := map[string]handler{
		"PUBLISH": publish(channels), "SPUBLISH": publish(shardChannels),
		"PUBSUB CHANNELS": listTopics(channels), "PUBSUB SHARDCHANNELS": listTopics(shardChannels),
		"PUBSUB NUMSUB": countSubscribers(channels), "PUBSUB SHARDNUMSUB": countSubscribers(shardChannels),
		"PUBSUB NUMPAT": func(cn *conn, _ []string) { cn.out.int(int64(len(cn.node.subscribers[patterns]))) },
		"PUBSUB HELP":   pubsubHelp,
	}
	for kind := range topicKinds {
		table[strings.ToUpper(topicWords[kind].subscribe)] = subscribe(kind)
		table[strings.ToUpper(topicWords[kind].unsubscribe)] = unsubscribe(kind)
	}
	return table
}

// allowedToSubscribers are the commands that a subscriber may send in RESP2, in which it could not tell a message from a reply.
var allowedToSubscribers = map[string]bool{
	"SUBSCRIBE": true, "PSUBSCRIBE": true, "SSUBSCRIBE": true, "UNSUBSCRIBE": true, "PUNSUBSCRIBE": true, "SUNSUBSCRIBE": true,
	"PING": true, "QUIT": true, "RESET": true,
}

// refuseSubscriber returns the error for what a subscriber may not send, or "".
func (cn *conn) refuseSubscriber(r request) string {
	if !cn.subscribesInRESP2() || allowedToSubscribers[r.cmd.Name] {
		return ""
	}
	code := "ERR "
	if r.cmd.Name == "EXEC" {
		code = "EXECABORT Transaction discarded because of: "
	}
	return fmt.Sprintf("%sCan't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
		code, fullName(r.cmd))
}

func (cn *conn) subscribesInRESP2() bool { return cn.subscribed.any() && !cn.out.resp3 }

func (s *subscriptions) any() bool {
	return len(s.names[channels])+len(s.names[patterns])+len(s.names[shardChannels]) > 0
}

// count is the number in a confirmation: shard channels are counted apart.
func (s *subscriptions) count(kind topicKind) int {
	if kind == shardChannels {
		return len(s.names[shardChannels])
	}
	return len(s.names[channels]) + len(s.names[patterns])
}

// all are the names of one kind, oldest first.
func (s *subscriptions) all(kind topicKind) []string {
	place := s.names[kind]
	return slices.SortedFunc(maps.Keys(place), func(a, b string) int { return cmp.Compare(place[a], place[b]) })
}

func subscribe(kind topicKind) handler {
	return func(cn *conn, args []string) {
		if kind == shardChannels && cn.cluster.inExec {
			cn.out.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
			return
		}
		cn.startPushing()
		for _, name := range args[1:] {
			cn.join(kind, name)
			cn.confirm(&cn.out, kind, topicWords[kind].subscribe, name)
		}
	}
}

func unsubscribe(kind topicKind) handler {
	return func(cn *conn, args []string) {
		names := args[1:]
		if len(names) == 0 {
			names = cn.subscribed.all(kind)
		}
		for _, name := range names {
			cn.leave(kind, name)
			cn.confirm(&cn.out, kind, topicWords[kind].unsubscribe, name)
		}
		if len(names) == 0 {
			cn.out.push(3)
			cn.out.bulk(topicWords[kind].unsubscribe)
			cn.out.null()
			cn.out.int(int64(cn.subscribed.count(kind)))
		}
	}
}

// confirm appends to out how many subscriptions are left: these are the replies, and in RESP3 there are no others.
//
//	>3  subscribe  <channel>  :count
func (cn *conn) confirm(out *replies, kind topicKind, word, name string) {
	out.push(3)
	out.bulk(word)
	out.bulk(name)
	out.int(int64(cn.subscribed.count(kind)))
}

func (cn *conn) join(kind topicKind, name string) {
	mine, all := &cn.subscribed, &cn.node.subscribers
	if _, joined := mine.names[kind][name]; joined {
		return
	}
	if mine.names[kind] == nil {
		mine.names[kind] = map[string]int{}
	}
	if all[kind] == nil {
		all[kind] = map[string][]*conn{}
	}
	mine.last++
	mine.names[kind][name] = mine.last
	all[kind][name] = append(all[kind][name], cn)
}

func (cn *conn) leave(kind topicKind, name string) {
	if _, joined := cn.subscribed.names[kind][name]; !joined {
		return
	}
	delete(cn.subscribed.names[kind], name)
	all := cn.node.subscribers[kind]
	all[name] = slices.DeleteFunc(all[name], func(other *conn) bool { return other == cn })
	if len(all[name]) == 0 {
		delete(all, name)
	}
}

// leaveAll ends all subscriptions without a word. mu is held.
func (cn *conn) leaveAll() {
	for kind := range topicKinds {
		for name := range cn.subscribed.names[kind] {
			cn.leave(kind, name)
		}
	}
}

func publish(kind topicKind) handler {
	return func(cn *conn, args []string) {
		cn.out.int(int64(cn.cluster.publish(cn, kind, args[1], args[2])))
	}
}

// publish sends a message to all nodes that are to have it, and returns how many clients of the publisher's own got it.
func (c *Cluster) publish(from *conn, kind topicKind, channel, message string) (receivers int) {
	for _, n := range c.audience(from.node, kind) {
		count := n.deliver(from, kind, channel, message)
		n.counters.Messages += uint64(count)
		if n == from.node {
			receivers = count
		}
	}
	return receivers
}

// audience are the nodes that a message published at n reaches. Those of a cluster tell each other. Without cluster
// mode a primary tells its replicas, like a write.
func (c *Cluster) audience(n *node, kind topicKind) []*node {
	switch {
	case c.opts.Standalone && !n.isPrimary():
		return []*node{n}
	case kind == shardChannels:
		return n.shard.nodes()
	default:
		return c.nodes
	}
}

func (n *node) deliver(from *conn, kind topicKind, channel, message string) (count int) {
	for _, to := range n.subscribers[kind][channel] {
		to.message(from, topicWords[kind].message, channel, message)
		count++
	}
	if kind == shardChannels {
		return count // patterns do not see them
	}
	for _, pattern := range slices.Sorted(maps.Keys(n.subscribers[patterns])) {
		if !globMatch(pattern, channel) {
			continue
		}
		for _, to := range n.subscribers[patterns][pattern] {
			to.message(from, topicWords[patterns].message, pattern, channel, message)
			count++
		}
	}
	return count
}

// message sends a message. To the client that publishes it, it comes before the reply, even inside that of EXEC.
func (cn *conn) message(from *conn, words ...string) {
	frame := replies{resp3: cn.out.resp3}
	out := &frame
	if script := cn.cluster.script; cn == from && script != nil {
		out = &script.pushed
	} else if cn == from {
		out = &cn.out
	}
	out.push(len(words))
	for _, w := range words {
		out.bulk(w)
	}
	if cn != from {
		cn.post(frame.buf)
	}
}

// publishes says that r sends a message, for which a read-only script is not the place.
func (r request) publishes() bool { return r.cmd.Name == "PUBLISH" || r.cmd.Name == "SPUBLISH" }

// loseChannels ends the subscriptions to the shard channels of the slots that the node is losing, and says so. mu is held.
func (n *node) loseChannels(lost func(slot uint16) bool) {
	if len(n.subscribers[shardChannels]) == 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(n.subscribers[shardChannels]), func(a, b string) int {
		return cmp.Or(cmp.Compare(slotOf(a), slotOf(b)), cmp.Compare(a, b))
	})
	for _, name := range names {
		if !lost(slotOf(name)) {
			continue
		}
		for _, cn := range slices.Clone(n.subscribers[shardChannels][name]) {
			cn.leave(shardChannels, name)
			out := replies{resp3: cn.out.resp3}
			cn.confirm(&out, shardChannels, topicWords[shardChannels].unsubscribe, name)
			cn.post(out.buf)
		}
	}
}

// promoted follows the promotion of another node of s: all others hear that the slots are at a new node. mu is held.
func (c *Cluster) promoted(s *shard, promoted *node) {
	for _, n := range s.nodes() {
		if n != promoted {
			n.loseChannels(func(slot uint16) bool { return c.owner[slot] == s })
		}
	}
}

// listTopics answers PUBSUB CHANNELS and SHARDCHANNELS [pattern].
func listTopics(kind topicKind) handler {
	return func(cn *conn, args []string) {
		if len(args) > 3 {
			cn.out.error(fmt.Sprintf("ERR unknown subcommand or wrong number of arguments for '%.128s'. Try PUBSUB HELP.", args[1]))
			return
		}
		names := slices.Sorted(maps.Keys(cn.node.subscribers[kind]))
		if len(args) == 3 {
			names = slices.DeleteFunc(names, func(name string) bool { return !globMatch(args[2], name) })
		}
		cn.out.bulks(names)
	}
}

// countSubscribers answers PUBSUB NUMSUB and SHARDNUMSUB [channel ...].
func countSubscribers(kind topicKind) handler {
	return func(cn *conn, args []string) {
		cn.out.array(2 * len(args[2:]))
		for _, name := range args[2:] {
			cn.out.bulk(name)
			cn.out.int(int64(len(cn.node.subscribers[kind][name])))
		}
	}
}

func pubsubHelp(cn *conn, _ []string) {
	lines := []string{
		"PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"CHANNELS [<pattern>]",
		"    Return the currently active channels matching a <pattern> (default: '*').",
		"NUMPAT",
		"    Return number of subscriptions to patterns.",
		"NUMSUB [<channel> ...]",
		"    Return the number of subscribers for the specified channels, excluding",
		"    pattern subscriptions(default: no channels).",
		"SHARDCHANNELS [<pattern>]",
		"    Return the currently active shard level channels matching a <pattern> (default: '*').",
		"SHARDNUMSUB [<shardchannel> ...]",
		"    Return the number of subscribers for the specified shard level channel(s)",
		"HELP",
		"    Prints this help.",
	}
	cn.out.array(len(lines))
	for _, line := range lines {
		cn.out.simple(line)
	}
}

func (n *node) pubsubInfo() string {
	return fmt.Sprintf("pubsub_channels:%d\r\npubsub_patterns:%d\r\npubsubshard_channels:%d\r\n",
		len(n.subscribers[channels]), len(n.subscribers[patterns]), len(n.subscribers[shardChannels]))
}
