package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// FuzzPipelineFaults reads its input as a program (single commands, crowds, pipelines, transactions, some of them given
// up) and as what two scripted nodes do to it (replies in pieces, late, cut off or never, refusals, redirects, nonsense,
// resets). Whatever it says: nobody gets a reply that is not his, nothing that changes something runs twice, what was
// reported as not executed is on no tape, every call returns when its context ends, and nothing is left behind.
//
// Time is the bubble's. The pauses of the client are drawn at random, so the faults of a command belong to the command,
// and not to a moment.
func FuzzPipelineFaults(f *testing.F) {
	for _, seed := range faultSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<10 {
			t.Skip("more of the same")
		}
		p := &program{input: data}
		opts := keyslot.Options{MaxInFlight: 1 + p.next(64), PeerTimeout: 2 * time.Second, DialTimeout: time.Second, ConnsPerNode: 1 + p.next(2)}
		story(t, opts, func(t *testing.T, s *stage) {
			p.stage = s
			s.lower.Handle(p.serve(upper))
			s.upper.Handle(p.serve(lower))
			for len(p.input) > 0 && len(p.ops) < 100 {
				p.step(t)
			}
			require.NoError(t, s.client.Close())
			require.Zero(t, s.open.Load(), "connections left behind")
			synctest.Wait()
			p.audit(t)
		})
	})
}

// faultSeeds are a program of every kind of step with every kind of fault.
func faultSeeds() (seeds [][]byte) {
	for fault := range byte(faults) {
		for step := range byte(steps) {
			seed := []byte{7, 0}
			for round := range byte(3) {
				seed = append(seed, step, 5, 40)
				for op := range byte(6) {
					seed = append(seed, op, 1+round%2, fault, 37*(op+round), fault, 11*op)
				}
			}
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

// program is the input as far as it is used up, and what has happened.
type program struct {
	input []byte // owned by the goroutine of the test
	stage *stage

	mu  sync.Mutex
	ops []*op // guarded by mu, as is what they count
}

// op is a command with a number of its own, which is in its request and in its reply.
type op struct {
	id       string
	key      string
	writes   bool
	script   []fault // what becomes of its attempts; those behind them are answered
	attempts int
	refused  int // attempts that the node refused
	err      error
}

type fault struct{ kind, how int }

// What a node may do about a command.
const (
	answers = iota
	answersInPieces
	answersLate
	resetsWithin // the reply
	closesWithin
	drops // the connection, before the command runs
	hangs
	refuses
	movesOn
	asksOn
	movesNowhere
	babbles // what is no RESP, or no reply
	pushes  // before the reply
	fails   // what the command did is an error
	faults
)

// The steps of a program.
const (
	single = iota
	crowd
	inPipeline
	inOrder
	inTx
	pause
	cut
	stalled
	stray
	steps
)

// next draws a number below n.
func (p *program) next(n int) int {
	if len(p.input) == 0 {
		return 0
	}
	b := p.input[0]
	p.input = p.input[1:]
	return int(b) % n
}

// draw makes n commands, of one slot or of three.
func (p *program) draw(n int, oneSlot bool) []*op {
	drawn := make([]*op, n)
	keys := []string{low, up, "bar"} // the last one is in slot 5061, which is the lower node's
	for i := range drawn {
		how := p.next(256)
		o := &op{id: fmt.Sprintf("op%05d", len(p.ops)), key: keys[how%3], writes: how&4 == 0}
		if oneSlot {
			o.key = drawn[0].keyOr(o.key)
		}
		for range p.next(4) {
			o.script = append(o.script, fault{p.next(faults), p.next(256)})
		}
		drawn[i] = o
		p.mu.Lock()
		p.ops = append(p.ops, o)
		p.mu.Unlock()
	}
	return drawn
}

func (o *op) keyOr(key string) string {
	if o == nil {
		return key
	}
	return o.key
}

func (o *op) args() []any {
	if o.writes {
		return []any{"APPEND", o.key, o.id}
	}
	return []any{"HGET", o.key, o.id}
}

func (p *program) step(t *testing.T) {
	kind, n, patience := p.next(steps), 1+p.next(8), time.Duration(1+p.next(64))*50*time.Millisecond
	node := []*fakenode.Node{p.stage.lower, p.stage.upper}[n%2]
	switch kind {
	case single:
		p.alone(t, p.draw(1, false)[0], patience)
	case crowd:
		p.crowd(t, p.draw(n, false), patience)
	case inPipeline, inOrder:
		pipe := p.stage.client.Pipeline()
		if kind == inOrder {
			pipe.Ordered()
		}
		p.together(t, p.draw(n, false), patience, pipe.Do, pipe.Exec)
	case inTx:
		tx := p.stage.client.Tx()
		p.together(t, p.draw(n, true), patience, tx.Do, tx.Exec)
	case pause:
		time.Sleep(time.Duration(n) * patience)
	case cut:
		node.Cut([]fakenode.End{fakenode.FIN, fakenode.RST}[n/2%2])
	case stalled:
		node.StopReading()
		p.crowd(t, p.draw(n, false), patience)
		node.Resume()
	case stray: // a reply to nothing: none of before is still on its way, no command of after has been sent
		time.Sleep(20 * time.Second)
		node.Push("$9\r\nop-stray!\r\n")
		synctest.Wait()
		p.alone(t, p.draw(1, false)[0], patience)
	}
}

// alone runs one command, and notes its outcome.
func (p *program) alone(t *testing.T, o *op, patience time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	reply, err := p.stage.client.Do(ctx, o.args()...)
	p.ends(t, o, reply, err, begun, patience)
}

// crowd runs commands side by side, each with less patience than the one before.
func (p *program) crowd(t *testing.T, ops []*op, patience time.Duration) {
	var callers sync.WaitGroup
	for i, o := range ops {
		callers.Go(func() { p.alone(t, o, patience/time.Duration(1+i)) })
	}
	callers.Wait()
}

// together runs commands as a pipeline or a transaction.
func (p *program) together(t *testing.T, ops []*op, patience time.Duration, do func(...any) *keyslot.Future[keyslot.Reply], exec func(context.Context) error) {
	futures := make([]*keyslot.Future[keyslot.Reply], len(ops))
	for i, o := range ops {
		futures[i] = do(o.args()...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	_ = exec(ctx)
	for i, o := range ops {
		reply, err := futures[i].Get()
		p.ends(t, o, reply, err, begun, patience)
	}
}

// ends checks what a caller sees at once: that the reply is his, and that he was not kept.
func (p *program) ends(t *testing.T, o *op, reply keyslot.Reply, err error, begun time.Time, patience time.Duration) {
	if late := time.Since(begun) - patience; late > 5*time.Millisecond {
		t.Errorf("%s returned %v after its context had ended: %v", o.id, late, err)
	}
	if err == nil && reply.String() != o.id {
		t.Errorf("%s got the reply %q", o.id, reply)
	}
	o.err = err
}

// audit compares what callers were told with what the nodes received.
func (p *program) audit(t *testing.T) {
	received := strings.Join(append(p.stage.lower.Received(), p.stage.upper.Received()...), "|")
	for _, o := range p.ops {
		ran := strings.Count(received, "\r\n"+o.id+"\r\n") - o.refused // the last byte, too
		switch {
		case o.writes && ran > 1:
			t.Errorf("%s was sent %d times without having been refused: %v", o.id, ran, o.err)
		case errors.Is(o.err, keyslot.ErrNotExecuted) && ran > 0:
			t.Errorf("%s was not executed, it says, and was received: %v", o.id, o.err)
		case o.err == nil && ran < 1:
			t.Errorf("%s succeeded and was not received", o.id)
		case o.err != nil && !errors.As(o.err, new(*keyslot.Error)):
			t.Errorf("%s failed without a trail: %v", o.id, o.err)
		}
	}
}
