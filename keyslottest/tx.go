package keyslottest

import "github.com/keyslot-go/keyslot/internal/spec"

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
	cn.endWatch()
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
	touched := !cn.mayExec()
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
