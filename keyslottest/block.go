package keyslottest

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// waiter is a blocked command. It is served by whoever writes one of its keys, while that one still holds mu: so
// waiters of one key are served in the order they came, as on a server.
type waiter struct {
	// immutable
	request request
	conn    *conn // its serve goroutine is in wait
	resp3   bool
	timeout time.Duration
	done    chan struct{} // closed once reply is set

	// guarded by mu until done is closed
	reply    []byte
	timedOut []byte // the reply to a timeout
	hangUp   bool   // close the connection after the reply
}

// waiters are the blocked commands of all nodes, oldest first.
type waiters struct {
	byKey map[string][]*waiter
}

func (ws *waiters) init() { ws.byKey = map[string][]*waiter{} }

// add lists w under each of its keys, once: a command may name a key twice, but is answered once.
func (ws *waiters) add(w *waiter) {
	for _, key := range w.request.keys {
		if !slices.Contains(ws.byKey[key], w) {
			ws.byKey[key] = append(ws.byKey[key], w)
		}
	}
}

func (ws *waiters) remove(w *waiter) {
	for _, key := range w.request.keys {
		rest := slices.DeleteFunc(ws.byKey[key], func(other *waiter) bool { return other == w })
		if len(rest) == 0 {
			delete(ws.byKey, key)
		} else {
			ws.byKey[key] = rest
		}
	}
}

// at counts the clients blocked at n.
func (ws *waiters) at(n *node) int {
	blocked := map[*waiter]bool{}
	for _, list := range ws.byKey {
		for _, w := range list {
			if w.conn.node == n {
				blocked[w] = true
			}
		}
	}
	return len(blocked)
}

func (ws *waiters) finish(w *waiter, reply []byte) {
	ws.remove(w)
	w.reply = reply
	close(w.done)
}

// serve lets the waiters of the written keys try again. What one of them moves may serve another.
func (ws *waiters) serve(c *Cluster, keys []string) {
	if len(ws.byKey) == 0 {
		return
	}
	for len(keys) > 0 {
		key := keys[0]
		keys = keys[1:]
		for _, w := range slices.Clone(ws.byKey[key]) {
			reply, ok := c.retry(w, key)
			if !ok {
				continue
			}
			ws.finish(w, reply)
			c.noteKeys(w.conn.node, w.request.keys)
			keys = append(keys, w.request.keys...)
		}
	}
}

// serveAll lets all waiters try again after time has passed: what they wait for may have expired.
func (ws *waiters) serveAll(c *Cluster) { ws.serve(c, slices.Collect(maps.Keys(ws.byKey))) }

// retry runs the command of a waiter again, now that key was written; ok is false if it has to wait on. As on a server, a key
// of another type than what is waited for counts as missing, and so does one that was written at the other side of a migration.
func (c *Cluster) retry(w *waiter, key string) (reply []byte, ok bool) {
	r, kind := w.request.only(key)
	if kind == "" {
		return nil, false
	}
	here := c.holds(w.conn.node, key) && c.store.mini.Type(key) == kind
	grouped := r.cmd.Name == "XREADGROUP"
	if here {
		reply, ok = c.store.runNow(w.resp3, r)
	}
	out := replies{}
	switch {
	case grouped && !here:
		out.error("UNBLOCKED the stream key no longer exists")
	case grouped && bytes.HasPrefix(reply, []byte("-NOGROUP ")):
		out.error("NOGROUP the consumer group this client was blocked on no longer exists")
	default:
		return reply, ok
	}
	return out.buf, true
}

// only is a blocking command with one of its keys alone, which is how a server serves those who wait, and the type it
// expects there: none if the key is but where the command moves something to.
func (r request) only(key string) (alone request, kind string) {
	args := []string{r.args[0]}
	switch r.cmd.Name {
	case "BLPOP", "BRPOP":
		kind, args = "list", append(args, key, "0")
	case "BZPOPMIN", "BZPOPMAX":
		kind, args = "zset", append(args, key, "0")
	case "BZMPOP": // timeout numkeys key... MIN
		count, _ := strconv.Atoi(r.args[2])
		kind, args = "zset", append(append(args, "0", "1", key), r.args[3+count:]...)
	case "XREAD", "XREADGROUP": // ... STREAMS key... id...
		ids := r.args[len(r.args)-len(r.keys):]
		options := r.args[1 : len(r.args)-2*len(r.keys)]
		kind, args = "stream", append(append(args, options...), key, ids[slices.Index(r.keys, key)])
	default: // BLMOVE and BRPOPLPUSH, from to ...
		if r.args[1] == key {
			return r, "list"
		}
		return r, ""
	}
	return newRequest(args), kind
}

// recheck ends the waiters that their node would now refuse: after slots moved, a primary was demoted, or the cluster
// went down. mu is held.
func (ws *waiters) recheck(c *Cluster) {
	var all []*waiter
	for _, list := range ws.byKey {
		all = append(all, list...)
	}
	for _, w := range all {
		select {
		case <-w.done: // listed under several keys
			continue
		default:
		}
		if reply := c.evict(w); reply != "" {
			out := replies{resp3: w.resp3}
			out.error(reply)
			ws.finish(w, out.buf)
		}
	}
}

// evict returns the error that ends a waiter, or "".
func (c *Cluster) evict(w *waiter) string {
	slot, here := slotOf(w.request.keys[0]), w.conn.node
	if !here.running {
		return errDown // which nobody will read; but nothing may be popped for it any more
	}
	if m := c.migrations[slot]; m != nil && (here == m.from.primary || here == m.to.primary) {
		return "" // stays blocked until the slot is finally gone
	}
	if w.request.has(spec.Write) && !here.isPrimary() {
		w.hangUp = true
		return "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
	}
	switch owner := c.owner[slot]; {
	case c.down():
		return errDown
	case owner == nil:
		return errUnassigned
	case owner != here.shard:
		here.counters.Moved++
		return c.redirect("MOVED", slot, owner.primary)
	}
	return ""
}

// runBlocking answers r at once if it can, and in a transaction in any case; else it leaves a waiter in cn.blocked.
func (c *Cluster) runBlocking(cn *conn, r request) {
	r = c.store.resolveLast(r)
	reply, ok := c.store.runNow(cn.out.resp3, r)
	if ok {
		cn.out.buf = append(cn.out.buf, reply...)
		c.wrote(cn.node, r.keys)
		return
	}
	timeout, blocks, refusal := blockTime(r)
	switch {
	case refusal != "":
		cn.out.error(refusal)
		return
	case c.inExec && (r.cmd.Name == "BLMOVE" || r.cmd.Name == "BRPOPLPUSH"):
		cn.out.null()
		return
	case c.inExec || !blocks:
		cn.out.nullArray()
		return
	}
	out := replies{resp3: cn.out.resp3}
	out.nullArray()
	cn.blocked = newWaiter(cn, r, timeout, out.buf)
	c.waiting.add(cn.blocked)
}

func newWaiter(cn *conn, r request, timeout time.Duration, timedOut []byte) *waiter {
	return &waiter{request: r, conn: cn, resp3: cn.out.resp3, timeout: timeout, timedOut: timedOut, done: make(chan struct{})}
}

// blockTime is how long r wants to wait; 0 is for ever. miniredis has refused other nonsense than what is refused here.
func blockTime(r request) (d time.Duration, blocks bool, refusal string) {
	at, unit, blocks := r.cmd.BlockTimeout(words(r.args))
	if !blocks {
		return 0, false, ""
	}
	n, err := strconv.ParseFloat(r.args[at], 64)
	switch wait := math.Ceil(n * float64(unit)); { // however short, it must not become 0
	case err != nil, math.IsNaN(n), n < 0:
		return 0, true, "ERR timeout is not a float or out of range"
	case wait/float64(time.Millisecond) >= math.MaxInt64: // what a server counts in
		return 0, true, "ERR timeout is out of range"
	case wait >= math.MaxInt64:
		return math.MaxInt64, true, ""
	default:
		return time.Duration(wait), true, ""
	}
}

// resolveLast replaces the $ of XREAD, "what comes from now on", by the last ID of the stream: each time the waiter is
// served it would otherwise find that nothing has come since.
func (s *store) resolveLast(r request) request {
	if r.cmd.Name != "XREAD" {
		return r
	}
	args := slices.Clone(r.args)
	for i, key := range r.keys {
		id := &args[len(args)-len(r.keys)+i]
		if *id != "$" {
			continue
		}
		*id = "0-0"
		last := replies{}
		s.do(&last, "XREVRANGE", key, "+", "-", "COUNT", "1")
		// *1  *2  $n  <id> ...
		if lines := strings.SplitN(string(last.buf), "\r\n", 5); len(lines) == 5 && lines[0] == "*1" {
			*id = lines[3]
		}
	}
	r.args = args
	return r
}

// wait blocks until w is answered, timed out or abandoned; it returns false if the connection is gone.
func (cn *conn) wait(w *waiter) bool {
	if cn.flush() != nil {
		cn.abandon(w)
		return false
	}
	var timeout <-chan time.Time
	if w.timeout > 0 {
		timer := time.NewTimer(w.timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	ended, stop := cn.readAhead()
	defer stop()
	select {
	case <-w.done:
	case <-timeout:
		cn.abandon(w)
	case <-ended:
		cn.abandon(w)
		return false
	case <-cn.gone:
		cn.abandon(w)
		return false
	}
	cn.out.buf = append(cn.out.buf, w.reply...)
	cn.closing = w.hangUp
	return true
}

// abandon ends the wait of w with the reply to a timeout, unless it was answered just now.
func (cn *conn) abandon(w *waiter) {
	cn.cluster.mu.Lock()
	defer cn.cluster.mu.Unlock()
	select {
	case <-w.done:
	default:
		cn.cluster.waiting.finish(w, w.timedOut)
	}
}
