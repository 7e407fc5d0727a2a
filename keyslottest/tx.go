package keyslottest

import (
	"bufio"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// transaction is what a client queues between MULTI and EXEC.
type transaction struct {
	queue  []request
	spoilt bool // a command could not be queued: EXEC will refuse
}

func (tx *transaction) writes() bool {
	for _, r := range tx.queue {
		if r.has(spec.Write) {
			return true
		}
	}
	return false
}

// controlsTx are the commands that are run, not queued, inside a transaction.
var controlsTx = map[string]bool{"MULTI": true, "EXEC": true, "DISCARD": true, "WATCH": true, "QUIT": true, "RESET": true}

func (cn *conn) endTx() {
	cn.tx = nil
	cn.watch = nil
}

func multi(cn *conn, _ []string) {
	if cn.tx != nil {
		cn.out.error("ERR MULTI calls can not be nested")
		return
	}
	cn.tx = &transaction{}
	cn.out.ok()
}

func discard(cn *conn, _ []string) {
	if cn.tx == nil {
		cn.out.error("ERR DISCARD without MULTI")
		return
	}
	cn.endTx()
	cn.out.ok()
}

// exec runs what was queued. No command of another client can come in between, as mu is held all along.
func exec(cn *conn, _ []string) {
	tx := cn.tx
	if tx == nil {
		cn.out.error("ERR EXEC without MULTI")
		return
	}
	touched := cn.watch != nil && cn.watch.touched()
	cn.endTx()
	switch {
	case tx.spoilt:
		cn.out.error("EXECABORT Transaction discarded because of previous errors.")
	case touched:
		cn.out.nullArray()
	default:
		cn.out.array(len(tx.queue))
		c := cn.cluster
		c.inExec = true
		for _, r := range tx.queue {
			c.run(cn, r)
		}
		c.inExec = false
		c.waiting.serve(c, c.written)
		c.written = nil
	}
}

// watch remembers the keys of WATCH. It is a client of miniredis of its own, since that keeps the versions of keys.
type watch struct {
	store *store
	peer  *server.Peer
	sink  *sink
}

func watchKeys(cn *conn, args []string) {
	if cn.tx != nil {
		cn.out.error("ERR WATCH inside MULTI is not allowed")
		return
	}
	if cn.watch == nil {
		sink := &sink{}
		cn.watch = &watch{cn.cluster.store, server.NewPeer(bufio.NewWriter(sink)), sink}
	}
	cn.watch.do(args...)
	cn.out.ok()
}

func unwatch(cn *conn, _ []string) {
	cn.watch = nil
	cn.out.ok()
}

// touched says whether a watched key was written to: an empty transaction of the watching client then fails.
func (w *watch) touched() bool {
	w.do("MULTI")
	return w.do("EXEC") != "*0\r\n"
}

func (w *watch) do(args ...string) (reply string) {
	w.sink.buf = w.sink.buf[:0]
	w.store.srv.Dispatch(w.peer, args)
	w.peer.Flush()
	return string(w.sink.buf)
}
