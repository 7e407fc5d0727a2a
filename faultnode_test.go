package keyslot_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// The nodes of FuzzPipelineFaults: they know MULTI and EXEC, and do to each command what its script says.

// refusalsOfNodes are what a node says of a command that it does not run for the moment.
var refusalsOfNodes = [...]string{
	"CLUSTERDOWN The cluster is down", "LOADING Valkey is loading the dataset in memory", "BUSY Valkey is busy running a script.",
	"TRYAGAIN Multiple keys request during rehashing of slot", "NOREPLICAS Not enough good replicas to write.",
	"MASTERDOWN Link with MASTER is down", "NOAUTH Authentication required.", "READONLY You can't write against a read only replica.",
	"NOPERM User app has no permissions", "OOM command not allowed when used memory > 'maxmemory'.",
}

// nonsense is what no server says.
var nonsense = [...]string{
	"hello\r\n", "+OK\n", "+OK\rx", "$-2\r\n", "*-2\r\n", ":\r\n", ":99999999999999999999\r\n", "$99999999999999999999\r\n", "*1099511627776\r\n",
	"$2\r\nabc\r\n", strings.Repeat("*1\r\n", 100), ";3\r\nabc\r\n", ".\r\n", "#x\r\n", "\x15\x03\x01\x00\x02\x02\x46", "-MOVED\r", "$536870911\r\nabc",
}

// serve is a node whose neighbour is at other.
func (p *program) serve(other string) fakenode.Handler {
	open := map[int]*opened{} // guarded by p.mu: transactions, by connection
	return func(r fakenode.Request) (fakenode.Reaction, bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		tx := open[r.Conn]
		switch r.Name() {
		case "MULTI":
			open[r.Conn] = new(opened)
			return ok, true
		case "EXEC":
			delete(open, r.Conn)
			if tx == nil {
				return says("-ERR EXEC without MULTI"), true
			}
			return p.exec(tx, other), true
		case "APPEND", "HGET":
			if o := p.find(r.Args[2]); o != nil {
				return o.meets(tx, other), true
			}
		}
		return fakenode.Reaction{}, false
	}
}

// opened is a transaction between MULTI and EXEC.
type opened struct {
	ops     []*op
	refused bool
}

// find returns the command of that number. mu is held.
func (p *program) find(id string) *op {
	for _, o := range p.ops {
		if o.id == id {
			return o
		}
	}
	return nil
}

// meets is what becomes of an attempt, within a transaction if tx is not nil. mu is held.
func (o *op) meets(tx *opened, other string) fakenode.Reaction {
	f := o.attempt()
	refusal := f.refusal(o.key, other)
	switch {
	case refusal != "":
		o.refused++
		if tx != nil {
			tx.refused = true
		}
		return says("-%s", refusal)
	case tx != nil:
		tx.ops = append(tx.ops, o)
		return says("+QUEUED")
	case f.kind == fails:
		return says("-WRONGTYPE Operation against a key holding the wrong kind of value")
	}
	return f.deliver(o.reply())
}

func (o *op) reply() string { return fmt.Sprintf("$%d\r\n%s\r\n", len(o.id), o.id) }

// exec ends a transaction; what becomes of EXEC is the business of its first command. mu is held.
func (p *program) exec(tx *opened, other string) fakenode.Reaction {
	refusal := ""
	var f fault
	if tx.refused {
		refusal = "EXECABORT Transaction discarded because of previous errors."
	} else if len(tx.ops) > 0 {
		f = tx.ops[0].attempt()
		refusal = f.refusal(tx.ops[0].key, other)
	}
	reply := fmt.Sprintf("*%d\r\n", len(tx.ops))
	for _, o := range tx.ops {
		if refusal != "" {
			o.refused++
		}
		reply += o.reply()
	}
	if refusal != "" {
		return says("-%s", refusal)
	}
	return f.deliver(reply)
}

// attempt returns what the script has for the next attempt.
func (o *op) attempt() (f fault) {
	if o.attempts < len(o.script) {
		f = o.script[o.attempts]
	}
	o.attempts++
	return f
}

// refusal is the error of a command that is not run; empty where it is.
func (f fault) refusal(key, other string) string {
	switch slot := keyslot.Slot(key); f.kind {
	case refuses:
		return refusalsOfNodes[f.how%len(refusalsOfNodes)]
	case movesOn:
		return fmt.Sprintf("MOVED %d %s", slot, other)
	case asksOn:
		return fmt.Sprintf("ASK %d %s", slot, other)
	case movesNowhere:
		return fmt.Sprintf("MOVED %d 10.9.9.%d:6379", slot, f.how)
	}
	return ""
}

// deliver is how the reply to a command that has run, or is about to, comes back.
func (f fault) deliver(reply string) fakenode.Reaction {
	switch f.kind {
	case answersInPieces:
		return fakenode.Reaction{Send: reply, Piece: 1 + f.how%8, Gap: time.Duration(f.how) * time.Millisecond}
	case answersLate:
		return fakenode.Reaction{Send: reply, Delay: time.Duration(f.how) * 20 * time.Millisecond}
	case resetsWithin:
		return fakenode.Reaction{Send: reply[:f.how%len(reply)], End: fakenode.RST}
	case closesWithin:
		return fakenode.Reaction{Send: reply[:f.how%len(reply)], End: fakenode.FIN}
	case drops:
		return reset
	case hangs:
		return stuck()
	case babbles:
		return fakenode.Reaction{Send: nonsense[f.how%len(nonsense)], End: fakenode.FIN}
	case pushes:
		return fakenode.Reaction{Send: ">2\r\n+invalidate\r\n*1\r\n$3\r\nfoo\r\n>0\r\n" + reply, Piece: f.how}
	}
	return fakenode.Reaction{Send: reply}
}
