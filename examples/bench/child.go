package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"github.com/keyslot-go/keyslot/examples/bench/internal/load"
)

// childArg makes this program the process of one run: it reads orders on its standard input, and tells what it sees on
// its standard output. So the CPU time and the allocations counted are those of one client, and of nothing else.
const childArg = "run-one-load"

// child is the process of one run.
type child struct {
	cmd      *exec.Cmd
	messages chan load.Message // closed when the process has ended; the one who reads them must read on until then
	problems beginning

	mu     sync.Mutex
	in     io.WriteCloser // guarded by mu
	closed bool           // guarded by mu
}

// startChild starts a run. The caller must read messages to their end.
func startChild(spec load.Spec) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, childArg), messages: make(chan load.Message)}
	c.cmd.Stderr = &c.problems
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go c.read(out) // ends with the process, which stop ends
	c.order(load.Order{Spec: &spec})
	return c, nil
}

func (c *child) read(out io.Reader) {
	defer close(c.messages)
	for in := json.NewDecoder(out); ; {
		var m load.Message
		if in.Decode(&m) != nil {
			break
		}
		c.messages <- m
	}
	_ = c.cmd.Wait() // how it ended shows in what it told, or failed to tell
}

// order tells the process something. One that has ended is told nothing.
func (c *child) order(o load.Order) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		_ = json.NewEncoder(c.in).Encode(o)
	}
}

// stop lets the process end its load, and itself, within some seconds.
func (c *child) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		_ = c.in.Close()
	}
}

// died returns why there was no result. The messages have ended.
func (c *child) died() error {
	return fmt.Errorf("the process of the run has ended (%v): %s", c.cmd.ProcessState, c.problems.text())
}

// mostKept is how much of what a process says on its standard error is kept: of a panic the beginning has the cause.
const mostKept = 4 << 10

// beginning keeps the beginning of what is written to it, up to mostKept.
type beginning struct {
	mu   sync.Mutex
	kept []byte // guarded by mu
}

func (b *beginning) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, p[:min(len(p), mostKept-len(b.kept))]...)
	return len(p), nil
}

func (b *beginning) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.kept)
}

// mostOrders may wait in the process, so that parent and child never wait for each other with both pipes full.
const mostOrders = 64

// beChild is the other side of startChild, and returns the exit status. A terminal sends Ctrl-C to all processes, but
// when this one ends its parent decides, by closing its input: so it also ends if the parent is killed.
func beChild(in io.Reader, out, problems io.Writer) int {
	signal.Ignore(os.Interrupt)
	decoder := json.NewDecoder(in)
	var first load.Order
	if err := decoder.Decode(&first); err != nil || first.Spec == nil {
		fmt.Fprintln(problems, "no spec:", err)
		return exitFailed
	}
	orders := make(chan load.Order, mostOrders)
	go func() { // ends with the input, or the process
		defer close(orders)
		for {
			var o load.Order
			if decoder.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	encoder := json.NewEncoder(out)
	tell := func(m load.Message) { _ = encoder.Encode(m) } // a parent that has gone closes the input too
	if err := load.Run(context.Background(), *first.Spec, orders, tell); err != nil {
		tell(load.Message{Failed: err.Error()})
		return exitFailed
	}
	return exitOK
}
