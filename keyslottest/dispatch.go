package keyslottest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// handler runs a command that the front answers itself.
type handler func(cn *conn, args []string)

// process answers one request, or leaves a waiter in cn.blocked. The checks come in the order of the server's
// processCommand, because clients can see it: who is refused by two of them gets the first one's error. mu is held.
//
//	unknown command, arity > NOAUTH > not in MULTI > redirect > READONLY > not for subscribers > queue or run
func (cn *conn) process(args []string) {
	c := cn.cluster
	cn.node.counters.Commands++
	r := newRequest(args)
	if refusal := cn.refuse(r); refusal != "" {
		cn.reject(r, refusal)
		return
	}
	if cn.tx != nil && !controlsTx[r.cmd.Name] {
		cn.tx.queue = append(cn.tx.queue, r)
		cn.out.simple("QUEUED")
	} else {
		c.run(cn, r)
	}
	if cn.tx == nil && r.cmd.Name != "ASKING" {
		cn.asking = false // ASKING is for one command, or for one transaction
	}
}

// refuse returns the error that keeps r from being run or queued, or "".
func (cn *conn) refuse(r request) string {
	c := cn.cluster
	if r.cmd == nil || c.opts.RESP2Only && r.cmd.Name == "HELLO" {
		return unknownCommand(r.args)
	}
	if r.has(spec.Container) && len(r.args) > 1 {
		return fmt.Sprintf("ERR unknown subcommand '%.128s'. Try %s HELP.", r.args[1], r.cmd.Name)
	}
	if r.cmd.CheckArity(len(r.args)) != nil {
		return wrongArity(fullName(r.cmd))
	}
	if !cn.authed && !r.has(spec.NoAuth) {
		return "NOAUTH Authentication required."
	}
	if cn.tx != nil && r.has(spec.NoMulti) && !controlsTx[r.cmd.Name] {
		return "ERR Command not allowed inside a transaction"
	}
	requests, write, sharded := []request{r}, r.has(spec.Write), r.has(spec.RouteOnly)
	if r.cmd.Name == "EXEC" {
		requests = nil
		if cn.tx != nil {
			requests, write = cn.tx.queue, cn.tx.writes()
		}
	}
	if refusal := c.route(cn, requests, write, sharded); refusal != "" {
		return refusal
	}
	if write && !cn.node.isPrimary() {
		return "READONLY You can't write against a read only replica."
	}
	return cn.refuseSubscriber(r)
}

// reject sends the refusal and spoils the transaction that r was for.
func (cn *conn) reject(r request, refusal string) {
	switch {
	case strings.HasPrefix(refusal, "MOVED "):
		cn.node.counters.Moved++
	case strings.HasPrefix(refusal, "ASK "):
		cn.node.counters.Ask++
	}
	if cn.tx == nil {
		cn.asking = false
	} else if r.cmd != nil && r.cmd.Name == "EXEC" {
		cn.endTx()
		cn.asking = false
		if strings.HasPrefix(refusal, "READONLY ") {
			refusal = "EXECABORT Transaction discarded because of: " + refusal
		}
	} else {
		cn.tx.spoilt = true
	}
	cn.out.error(refusal)
}

// run executes r, which has passed all checks, for cn.
func (c *Cluster) run(cn *conn, r request) {
	if c.store.tick(r.timed()) && !c.inExec {
		c.waiting.serveAll(c)
	}
	if c.opts.Standalone && isOfClusters(r.cmd.Name) {
		cn.out.error(errNoCluster)
		return
	}
	if h := c.handlers[r.cmd.Name]; h != nil {
		h(cn, r.args)
		return
	}
	switch {
	case !c.delegated(r):
		cn.out.error(unsupported(r))
	case r.has(spec.Blocking):
		c.runBlocking(cn, r)
	case strings.HasPrefix(r.cmd.Name, "EVAL"):
		c.runScript(cn, r)
	default:
		c.runPlain(cn, r)
	}
}

func isOfClusters(name string) bool {
	return name == "READONLY" || name == "READWRITE" || name == "ASKING" || strings.HasPrefix(name, "CLUSTER ")
}

// runPlain leaves r to miniredis.
func (c *Cluster) runPlain(cn *conn, r request) {
	from := len(cn.out.buf)
	c.store.run(&cn.out, r)
	// The command exists, else it would not have come here: it is miniredis that does not know the subcommand.
	if r.cmd.Words == 2 && bytes.HasPrefix(cn.out.buf[from:], []byte("-ERR unknown subcommand '")) {
		cn.out.buf = cn.out.buf[:from]
		cn.out.error(unsupported(r))
		return
	}
	if r.has(spec.Write) {
		c.wrote(cn.node, r.keys)
	}
}

// wrote does what has to follow every write: it keeps the books on keys and serves those who waited for one.
func (c *Cluster) wrote(n *node, keys []string) {
	c.noteKeys(n, keys)
	c.serveWaiting(keys)
}

// serveWaiting serves those who wait for keys once nothing runs any more that may still write them.
func (c *Cluster) serveWaiting(keys []string) {
	switch {
	case c.script != nil:
		c.script.wrote = append(c.script.wrote, keys...)
	case c.inExec:
		c.written = append(c.written, keys...)
	default:
		c.waiting.serve(c, keys)
	}
}

func (c *Cluster) noteKeys(n *node, keys []string) {
	n.shard.offset += int64(len(keys))
	for _, key := range keys {
		slot := slotOf(key)
		if m := c.migrations[slot]; c.store.touched(slot, key) && m != nil {
			m.wrote(n, key)
		}
	}
}

func wrongArity(name string) string {
	return fmt.Sprintf("ERR wrong number of arguments for '%s' command", name)
}

// unknownCommand quotes the command as the server does: cut short.
func unknownCommand(args []string) string {
	const limit = 128
	var quoted strings.Builder
	for _, arg := range args[1:] {
		if quoted.Len() >= limit {
			break
		}
		fmt.Fprintf(&quoted, "'%.*s' ", limit-quoted.Len(), arg)
	}
	return fmt.Sprintf("ERR unknown command '%.128s', with args beginning with: %s", args[0], quoted.String())
}
