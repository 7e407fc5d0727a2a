package keyslot

import (
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// What a listener does about a frame. Only its reader calls these.

// receive acts on one frame. An error ends the connection.
func (l *listener) receive(frame []byte, now time.Time) error {
	switch resp.KindOf(frame) {
	case resp.Push, resp.Array:
		return l.push(frame, now)
	case resp.SimpleError, resp.BulkError:
		text, _ := resp.Payload(frame)
		return l.refused(frame, refusalText(text), now)
	case resp.SimpleString:
		return l.answered(frame, now)
	}
	return strange(frame)
}

// push acts on a message, on what the server says of subscriptions, and on the PONG of RESP2.
func (l *listener) push(frame []byte, now time.Time) error {
	const most = 4
	var fields [most][]byte // what has no text, the number of subscriptions or a null, is empty
	elems, ok := resp.Open(frame)
	n := elems.Left()
	if !ok || n < 2 || n > most {
		return strange(frame)
	}
	for i := range n {
		elem, ok := elems.Next()
		if !ok {
			return strange(frame)
		}
		if fields[i], ok = resp.Payload(elem); !ok && resp.KindOf(elem) != resp.Null {
			return strange(frame)
		}
	}
	g := l.sub.kind
	switch word := string(fields[0]); {
	case word == g.message && n == g.fields:
		return l.message(fields[1:n], now)
	case word == g.subscribe && n == 3:
		return l.confirmed(frame, fields[1], now)
	case word == g.unsubscribe && n == 3:
		l.ended(fields[1], now)
		return nil
	case word == "pong" && n == 2:
		return l.answered(frame, now)
	}
	return strange(frame)
}

// message delivers what was published: channel and payload, or pattern, channel and payload. What comes for a topic
// that has left meanwhile is thrown away.
func (l *listener) message(fields [][]byte, now time.Time) error {
	s := l.sub
	s.mu.Lock()
	l.heard = now
	t := l.topics[string(fields[0])]
	ours := t != nil && t.live
	s.mu.Unlock()
	if !ours {
		return nil
	}
	m := Message{Channel: t.name, Node: l.addr, Payload: string(fields[len(fields)-1])}
	if len(fields) == 3 {
		m.Pattern, m.Channel = t.name, string(fields[1])
	}
	l.tellGap()
	s.inbox.put(delivery{Message: m, topic: t.name, at: now})
	return nil
}

// confirmed notes that the server has subscribed us to a name, for which we must have asked next.
func (l *listener) confirmed(frame, name []byte, now time.Time) error {
	s := l.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	l.heard = now
	a := l.head()
	if a == nil || a.command != s.kind.subscribe || a.names[a.done] != string(name) {
		return strange(frame)
	}
	t := a.topics[a.done]
	l.advance(1)
	if l.topics[t.name] != t { // it has left meanwhile
		return nil
	}
	s.proven(t)
	t.live, t.confirmed, t.redirects, l.proven, l.sub.hurried = true, now, 0, true, false
	t.pace.reset()
	if !t.since.IsZero() {
		l.missed(t, now)
	}
	if l.gap != nil && l.head() == nil {
		l.tellGap()
	}
	return nil
}

// missed adds what a topic has missed to the gap to be told. sub.mu is held.
func (l *listener) missed(t *topic, now time.Time) {
	missed := &Gap{From: t.since, To: now, Channels: []string{t.name}, Err: t.why}
	if t.node != nil {
		missed.Node = l.addr
	}
	t.since, t.why = time.Time{}, nil
	if l.gap == nil {
		l.gap = missed
		return
	}
	l.gap.add(missed)
}

// ended notes that we are subscribed to a name no longer: because we said so, or unasked.
func (l *listener) ended(name []byte, now time.Time) {
	s := l.sub
	s.mu.Lock()
	l.heard = now
	t := l.topics[string(name)]
	if t == nil || !t.live { // we have left it; of one that is asked for again, the answer is still to come
		s.mu.Unlock()
		return
	}
	s.lose(t, now, errSentAway)
	l.letGo(t, now.Add(mapWait), now)
	s.mu.Unlock()
	s.core.refresher.request("a subscription was ended")
	s.wakeUp()
}

// letGo leaves a topic to the map: it is not asked for before due, but at once if there is a newer map. sub.mu is held.
func (l *listener) letGo(t *topic, due, now time.Time) {
	delete(l.topics, t.name)
	t.at, t.due, t.left, t.leftNode = nil, due, now, l.node
}

// head returns the oldest request that is not answered, nil if there is none. sub.mu is held.
func (l *listener) head() *request {
	if len(l.asked) == 0 {
		return nil
	}
	return l.asked[0]
}

// advance notes that n names of the oldest request are answered. sub.mu is held.
func (l *listener) advance(n int) {
	a := l.asked[0]
	if a.done += n; a.done >= len(a.names) {
		l.asked = l.asked[1:]
	}
}

// answered notes the reply to PING, or to another request without names.
func (l *listener) answered(frame []byte, now time.Time) error {
	s := l.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	l.heard = now
	a := l.head()
	if a == nil || len(a.names) > 0 && !a.ends {
		return strange(frame)
	}
	l.advance(len(a.names))
	return nil
}

// refused acts on an error reply, which answers the oldest request: what is left of it.
func (l *listener) refused(frame []byte, text string, now time.Time) error {
	s := l.sub
	s.mu.Lock()
	l.heard = now
	a := l.head()
	if a == nil {
		s.mu.Unlock()
		return strange(frame)
	}
	topics := a.topics[min(a.done, len(a.topics)):]
	words := append(resp.Words{a.command}, a.names...)
	if !a.ends || isOfPing(text) {
		l.advance(len(a.names))
	}
	s.mu.Unlock()

	slot := command.NoSlot
	if len(topics) > 0 {
		slot = topics[0].slot
	}
	v := classify(attempt{slot: slot, refusal: text})
	said := ServerError(resp.Conceal(text, words))
	switch {
	case v.action == redial:
		return said
	case len(topics) == 0: // PING may be refused, and an end where there is nothing to end: it is an answer all the same
		return nil
	case v.action == finish:
		l.sub.refuse(topics, l, said)
		return nil
	}
	return l.askElsewhere(topics, v, said, now)
}

// isOfPing reports whether an error reply to an end and the PING behind it is that to PING, by the words of Redis and Valkey.
func isOfPing(text string) bool {
	return strings.HasPrefix(text, "NOPERM ") && strings.Contains(text, "'ping'")
}

// askElsewhere has topics asked for where a redirect points, or after a pause where the map says.
func (l *listener) askElsewhere(topics []*topic, v verdict, said ServerError, now time.Time) error {
	s := l.sub
	var to *node
	if v.action == follow && !v.ask { // no server sends ASK here: the source serves until the slot has moved
		to, _ = s.core.redirect(l.node, v)
	} else if v.refresh {
		s.core.turnedAway(l.node, said)
	}
	if to == l.node { // what answers under this name was replaced
		s.core.refresher.request("MOVED to the node that says it")
		return said
	}
	s.mu.Lock()
	for _, t := range topics {
		if l.topics[t.name] != t {
			continue
		}
		s.names[t.name].failed(l.addr, said)
		l.letGo(t, now.Add(t.pace.next()), now)
		switch t.redirects++; {
		case to == nil:
			t.redirects = 0
		case t.redirects <= freeRedirects:
			t.due = now
		default:
			t.leftNode = nil // the pause holds, whatever the map says
		}
	}
	s.mu.Unlock()
	s.wakeUp()
	return nil
}

// refuse ends what the server will not give: an opening, or else the whole subscription.
func (s *Subscription) refuse(topics []*topic, l *listener, err ServerError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range topics {
		if l.topics[t.name] != t {
			continue
		}
		if o := s.names[t.name]; o != nil {
			o.failed(l.addr, err)
			o.resolve(err)
			return
		}
		s.err = &Error{
			Command: strings.ToUpper(s.kind.subscribe), Slot: t.slot, Node: l.addr, Attempts: 1,
			Outcome: NotExecuted, Err: err,
		}
		s.stop()
		return
	}
}
