package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/keyslot-go/keyslot"
)

// floor is about the least that a client can do here: GET and SET, pipelined on one connection to each primary, by the
// design that keyslot has (the first caller in lets others join and writes for all, one goroutine reads). It has no
// redirects, deadlines, limits or replies of any other kind, and loses what is under way when a connection ends: it
// shows which part of a figure is that of the kernel, the runtime and the load. At one goroutine a client can stay
// below it: here even a lone caller waits for the reader to be woken, and then for the reader to wake it.
type floor struct {
	owners  [16384]*floorConn
	conns   []*floorConn
	readers sync.WaitGroup
	callers atomic.Int32 // under way
}

// floorConn is a connection to one primary.
type floorConn struct {
	net.Conn

	mu sync.Mutex
	// guarded by mu
	fill     []byte     // not yet written
	spare    []byte     // the other half of the double buffer
	flushing bool       // somebody has promised to write fill
	queue    []*floorOp // those that wait for a reply, in the order of their bytes
	ended    bool       // nothing will be answered any more
}

// floorOp is one GET or SET.
type floorOp struct {
	owner  *floorConn
	value  string // the reply to a GET
	failed bool
	batch  *floorBatch
}

// floorReply is the reply to one of them, in the reader's buffer.
type floorReply struct {
	value  []byte // of a bulk string
	failed bool   // an error, whatever it says
}

// errFloor is all that floor says of errors.
var errFloor = errors.New("floor: the server replied with an error, or the connection ended")

// floorBatch is what one caller waits for.
type floorBatch struct {
	ops   []floorOp
	left  atomic.Int32 // ops without a reply
	ready chan struct{}
}

var floorBatches = sync.Pool{New: func() any { return &floorBatch{ready: make(chan struct{}, 1)} }}

// openFloor leaves it to keyslot to find the primaries.
func openFloor(ctx context.Context, cfg Config) (Client, error) {
	if cfg.TLS != nil {
		return nil, &Unsupported{"floor has no TLS"}
	}
	c, err := keyslot.New(ctx, keyslot.Options{Endpoints: cfg.Addrs, Dial: cfg.dial})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f := new(floor)
	if err := f.dial(ctx, cfg, c.Topology()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// dial connects to the primaries of a topology that covers all slots.
func (f *floor) dial(ctx context.Context, cfg Config, t keyslot.Topology) error {
	for _, shard := range t.Shards {
		conn, err := cfg.dial(ctx, "tcp", shard.Primary.Addr())
		if err != nil {
			return err
		}
		n := &floorConn{Conn: conn}
		f.conns = append(f.conns, n)
		f.readers.Go(n.read) // ends with the connection
		for _, slots := range shard.Slots {
			for slot := int(slots.First); slot <= int(slots.Last); slot++ {
				f.owners[slot] = n
			}
		}
	}
	if slot := slices.Index(f.owners[:], nil); slot >= 0 {
		return fmt.Errorf("floor: no primary owns slot %d", slot)
	}
	return nil
}

func (f *floor) Close() {
	for _, n := range f.conns {
		_ = n.Close()
	}
	f.readers.Wait()
}

func (f *floor) Get(_ context.Context, key string) (value string, err error) {
	err = f.exec([]string{key}, reads, func(v string) { value = v })
	return value, err
}

func (f *floor) Set(_ context.Context, key, value string) error {
	return f.exec([]string{key}, func(int) string { return value }, func(string) {})
}

// MGet sends a GET for each key: there are about as many slots as keys.
func (f *floor) MGet(_ context.Context, keys []string) (read int, err error) {
	err = f.exec(keys, reads, func(value string) { read += len(value) })
	return read, err
}

func (f *floor) Pipeline(_ context.Context, keys []string, value string) (read int, err error) {
	written := func(i int) string {
		if i%2 == 0 {
			return ""
		}
		return value
	}
	err = f.exec(keys, written, func(value string) { read += len(value) })
	return read, err
}

// reads says of every operation that it writes nothing.
func reads(int) string { return "" }

// exec runs an operation for each key, SET of what written returns or GET where that is empty, and calls each
// with what they read.
func (f *floor) exec(keys []string, written func(i int) string, each func(value string)) (err error) {
	b := floorBatches.Get().(*floorBatch)
	if cap(b.ops) < len(keys) {
		b.ops = make([]floorOp, len(keys))
	}
	b.ops = b.ops[:len(keys)]
	b.left.Store(int32(len(keys)))
	for i, key := range keys {
		b.ops[i] = floorOp{owner: f.owners[keyslot.Slot(key)], batch: b}
	}
	others := f.callers.Add(1) > 1
	for _, n := range f.conns {
		if b.reaches(n) {
			n.send(b, keys, written, others)
		}
	}
	<-b.ready
	f.callers.Add(-1)
	for i := range b.ops {
		each(b.ops[i].value)
		if b.ops[i].failed {
			err = errFloor
		}
	}
	clear(b.ops)
	floorBatches.Put(b)
	return err
}

// reaches reports whether an operation goes to n. It reads nothing else of them: some may be under way.
func (b *floorBatch) reaches(n *floorConn) bool {
	for i := range b.ops {
		if b.ops[i].owner == n {
			return true
		}
	}
	return false
}

// send queues those operations of a batch that are for this connection. others says whether other callers are under way.
func (n *floorConn) send(b *floorBatch, keys []string, written func(i int) string, others bool) {
	n.mu.Lock()
	for i := range b.ops {
		switch op := &b.ops[i]; {
		case op.owner != n:
		case n.ended:
			op.done(floorReply{failed: true})
		default:
			n.fill = appendOp(n.fill, keys[i], written(i))
			n.queue = append(n.queue, op)
		}
	}
	flush := !n.flushing
	n.flushing = true
	if flush {
		n.flush(others)
	}
	n.mu.Unlock()
}

// flush writes until nothing is left; where others are under way, it lets them join first, and again if some did. mu is
// held, and released meanwhile.
func (n *floorConn) flush(others bool) {
	for round := 0; others && round < 2; round++ {
		before := len(n.fill)
		n.mu.Unlock()
		runtime.Gosched()
		n.mu.Lock()
		others = len(n.fill) > before
	}
	for len(n.fill) > 0 {
		out := n.fill
		n.fill, n.spare = n.spare[:0], nil
		n.mu.Unlock()
		_, _ = n.Write(out) // the reader finds out that it failed
		n.mu.Lock()
		n.spare = out
	}
	n.flushing = false
}

func appendOp(b []byte, key, value string) []byte {
	if value == "" {
		return appendArg(append(b, "*2\r\n$3\r\nGET\r\n"...), key)
	}
	return appendArg(appendArg(append(b, "*3\r\n$3\r\nSET\r\n"...), key), value)
}

func appendArg(b []byte, arg string) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(len(arg)), 10)
	return append(append(append(b, "\r\n"...), arg...), "\r\n"...)
}

// read completes operations until the connection ends.
func (n *floorConn) read() {
	defer n.end()
	const bufferSize = 256 << 10
	var (
		r       = bufio.NewReaderSize(n.Conn, bufferSize)
		replies []floorReply
		ops     []*floorOp
	)
	for want := 1; ; {
		if _, err := r.Peek(want); err != nil {
			return
		}
		buf, _ := r.Peek(r.Buffered())
		used := 0
		replies = replies[:0]
		for size, reply := parse(buf); size > 0; size, reply = parse(buf[used:]) {
			used += size
			replies = append(replies, reply)
		}
		want = len(buf) - used + 1
		n.mu.Lock()
		ops = append(ops[:0], n.queue[:len(replies)]...)
		n.queue = n.queue[:copy(n.queue, n.queue[len(replies):])]
		n.mu.Unlock()
		for i, op := range ops {
			op.done(replies[i])
		}
		_, _ = r.Discard(used)
		const many = 5 // callers were woken, most of which have a next operation
		if len(replies) >= many {
			runtime.Gosched()
		}
	}
}

// parse returns the first reply in buf and its length, 0 where it is not all there: +OK, -ERR ..., $-1, or $3 and three bytes.
func parse(buf []byte) (size int, reply floorReply) {
	line := bytes.IndexByte(buf, '\n') + 1
	if line == 0 || buf[0] != '$' || buf[1] == '-' {
		return line, floorReply{failed: line > 0 && buf[0] == '-'}
	}
	length := 0
	for _, digit := range buf[1 : line-2] {
		length = 10*length + int(digit-'0')
	}
	if size = line + length + 2; size > len(buf) {
		return 0, floorReply{}
	}
	return size, floorReply{value: buf[line : line+length]}
}

// done completes an operation, which belongs to its caller from then on.
func (op *floorOp) done(reply floorReply) {
	op.value, op.failed = string(reply.value), reply.failed
	if b := op.batch; b.left.Add(-1) == 0 {
		b.ready <- struct{}{}
	}
}

// end fails what will get no reply.
func (n *floorConn) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	for _, op := range n.queue {
		op.done(floorReply{failed: true})
	}
	n.queue = nil
}
