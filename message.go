package keyslot

import (
	"fmt"
	"strings"
	"time"
)

// Message is what somebody has published.
type Message struct {
	Channel string
	Payload string
	Pattern string // PSubscribe, KeyspaceEvents: which of the patterns it matched; a message that matches two comes twice
	Node    string // host:port of the node that it came from
}

// Gap says that messages may have been missed. It is an error that ends nothing: Messages yields it in order, between
// the messages before and those after, and goes on.
//
// From is early rather than late: the last sign of life of the lost connection, or the server's word that the slot has
// moved, less a second for what server and network still owed at that time. Where only a newer map tells, as when a
// primary was frozen, it is when the last map was asked for that agreed, since nobody knows when its heir took over: up
// to RefreshAfter earlier. To is when the new subscription was confirmed. Both are by this machine's clock. Where the
// reader was too slow they are when the first and the last of the dropped messages arrived.
type Gap struct {
	From, To time.Time
	Channels []string // the channels or patterns concerned, as they were subscribed to
	Node     string   // host:port of the primary whose events or messages are meant, if it is known and only one
	Dropped  int      // messages that had arrived and were dropped, because the buffer was full: see Subscription.Buffer
	Err      error    // why
}

func (g *Gap) Error() string {
	channels := "one channel"
	if n := len(g.Channels); n != 1 {
		channels = fmt.Sprintf("%d channels", n)
	}
	return fmt.Sprintf("keyslot: messages of %s may have been missed, %v from %s: %v",
		channels, g.To.Sub(g.From).Round(time.Millisecond), g.From.Format(time.RFC3339Nano), g.Err)
}

// Unwrap returns why.
func (g *Gap) Unwrap() error { return g.Err }

// add makes g cover what o does.
func (g *Gap) add(o *Gap) {
	if o.From.Before(g.From) {
		g.From = o.From
	}
	if o.To.After(g.To) {
		g.To = o.To
	}
	if o.Node != g.Node {
		g.Node = ""
	}
	g.Dropped += o.Dropped
	g.Channels = append(g.Channels, o.Channels...)
}

// KeyspaceEvent is what happened to a key, as a server with notify-keyspace-events tells it.
type KeyspaceEvent struct {
	DB    int
	Key   string
	Event string // set, del, expired, evicted, lpush ...
}

// Keyspace reads a message of KeyspaceEvents, of either form: "__keyspace@0__:<key>" with the event as payload, or
// "__keyevent@0__:<event>" with the key. ok is false for any other message.
func (m Message) Keyspace() (e KeyspaceEvent, ok bool) {
	rest, ofKey := strings.CutPrefix(m.Channel, "__keyspace@")
	ofEvent := false
	if !ofKey {
		rest, ofEvent = strings.CutPrefix(m.Channel, "__keyevent@")
	}
	db, name, found := strings.Cut(rest, "__:")
	if e.DB, ok = decimal(db, 65535); !ok || !found || !ofKey && !ofEvent {
		return KeyspaceEvent{}, false
	}
	e.Key, e.Event = name, m.Payload
	if ofEvent {
		e.Key, e.Event = m.Payload, name
	}
	return e, true
}
