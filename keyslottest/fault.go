package keyslottest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is a disturbance of one node, injected with Inject. It concerns single commands: which ones, Command, After and
// Times say; what happens to them, the other fields, which may be combined and take effect in the order they have here.
// A command that several faults match suffers all of them. The zero value matches every command and does nothing.
//
// Examples: Fault{Stall: true} is a hung process, which sends no messages to subscribers either, Fault{Command: "CLUSTER
// SLOTS", Error: "LOADING ..."} one that cannot tell the topology, Fault{Command: "INCR", Reset: true, Times: 1} loses
// one connection after the command was executed and before its reply was sent, and with NoRun before it was executed.
type Fault struct {
	Command string // name of the command, in any case, with or without subcommand ("CLUSTER SLOTS"); empty means all
	After   int    // let so many of these commands pass first
	Times   int    // then disturb so many; 0 means until the fault is removed

	Delay      time.Duration // wait before the command is run; the connection's later commands wait behind it
	Stall      bool          // wait until the fault is removed
	NoRun      bool          // do not run the command; without Error it gets no reply either
	Error      string        // refuse the command with this error, code included ("BUSY ..."): a transaction is spoilt by it
	DropReply  bool          // send no reply: the connection's later replies move up by one
	Reset      bool          // end the connection with an RST after ReplyBytes of the reply
	ReplyBytes int           // how much of its reply a command gets before Reset
}

// activeFault is a Fault at work. It is guarded by Cluster.mu.
type activeFault struct {
	Fault
	words   []string // of Command, upper case
	seen    int
	removed chan struct{}
}

// Inject subjects a node to a fault until remove is called, or the node is replaced; a node keeps its faults while it
// is stopped. remove may be called more than once. Inject fails if there is no such node or a number is negative.
func (c *Cluster) Inject(nodeID string, f Fault) (remove func(), err error) {
	if f.After < 0 || f.Times < 0 || f.Delay < 0 || f.ReplyBytes < 0 {
		return nil, fmt.Errorf("keyslottest: fault with a negative number: %+v", f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(nodeID)
	if err != nil {
		return nil, err
	}
	active := &activeFault{Fault: f, words: strings.Fields(strings.ToUpper(f.Command)), removed: make(chan struct{})}
	n.faults = append(n.faults, active)
	n.faulty.Store(true)
	return func() { n.remove(active) }, nil
}

func (n *node) remove(f *activeFault) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	i := slices.Index(n.faults, f)
	if i < 0 {
		return
	}
	n.faults = slices.Delete(n.faults, i, i+1)
	n.faulty.Store(len(n.faults) > 0)
	close(f.removed)
}

// matches says whether f disturbs this command, and counts it. mu is held.
func (f *activeFault) matches(args []string) bool {
	if len(args) < len(f.words) {
		return false
	}
	for i, word := range f.words {
		if !strings.EqualFold(word, args[i]) {
			return false
		}
	}
	f.seen++
	return f.seen > f.After && (f.Times == 0 || f.seen <= f.After+f.Times)
}

// disturbance is what all faults that match a command add up to.
type disturbance struct {
	Fault
	stalls []<-chan struct{}
}

func (n *node) disturb(args []string) (sum disturbance, any bool) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	for _, f := range n.faults {
		if !f.matches(args) {
			continue
		}
		any = true
		sum.Delay += f.Delay
		sum.NoRun = sum.NoRun || f.NoRun || f.Error != ""
		sum.DropReply = sum.DropReply || f.DropReply
		sum.Reset = sum.Reset || f.Reset
		sum.ReplyBytes = max(sum.ReplyBytes, f.ReplyBytes)
		if sum.Error == "" {
			sum.Error = f.Error
		}
		if f.Stall {
			sum.stalls = append(sum.stalls, f.removed)
		}
	}
	return sum, any
}

// faultyStep is step on a node with faults.
func (cn *conn) faultyStep(args []string) bool {
	sum, any := cn.node.disturb(args)
	if !any {
		return cn.answer(args)
	}
	// What was answered before must not be held up, nor be counted as part of this reply.
	if cn.flush() != nil || !cn.hold(sum) {
		return false
	}
	cn.held = sum.DropReply || sum.Reset
	defer func() { cn.held = false }()
	switch {
	case sum.Error != "":
		cn.fail(args, sum.Error)
	case !sum.NoRun && !cn.answer(args):
		return false
	}
	if sum.DropReply {
		cn.out.buf = cn.out.buf[:0]
	}
	if sum.Reset {
		cn.out.buf = cn.out.buf[:min(sum.ReplyBytes, len(cn.out.buf))]
		if cn.drain() == nil {
			cn.reset()
		}
		return false
	}
	return true
}

// fail answers with an error as if a check of the server had refused the command: it spoils a transaction.
func (cn *conn) fail(args []string, text string) {
	cn.cluster.mu.Lock()
	defer cn.cluster.mu.Unlock()
	cn.node.counters.Commands++
	cn.reject(newRequest(args), text)
}

// hold waits for the delay and then for the removal of every stall; it returns false if the connection ends meanwhile.
func (cn *conn) hold(sum disturbance) bool {
	if sum.Delay > 0 && !cn.pause(sum.Delay) {
		return false
	}
	for _, removed := range sum.stalls {
		select {
		case <-removed:
		case <-cn.gone:
			return false
		}
	}
	return true
}
