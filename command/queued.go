package command

import "errors"

// Queued are the typed commands as a pipeline offers them: each is queued, and its future has the reply once the pipeline
// was executed. They do what the methods of Commands with the same names do; those that wait at the server, BLPop and its
// like, are missing, for they would hold up what is queued behind them. They are for one goroutine at a time.
type Queued struct {
	lender Lender
	slabs  []any // of *slab[T], one for each T
	pack   packer
}

// NewQueued returns the commands whose calls lender lends, and keeps. The pipeline calls it; a program has no need to.
func NewQueued(lender Lender) Queued { return Queued{lender: lender} }

func (q *Queued) begin() *Call { return q.lender.Begin() }

// Future is the reply to come of a queued command. It is for one goroutine at a time, as its pipeline is, until that
// was executed; then it is safe for concurrent use. It stays valid whatever becomes of the pipeline.
//
// Futures of one pipeline are allocated together, as are strings of up to 128 bytes, in blocks of up to 1 KiB: to keep
// a few of very many replies for long, keep clones of the values.
type Future[T any] struct {
	value  T
	err    error
	decode decoder[T] // nil once there is an outcome

	settled   bool
	reordered bool
}

var (
	errNotYet   = errors.New("keyslot: the pipeline of this future has not been executed: call Exec first")
	errNoFuture = errors.New("keyslot: the zero Future has no reply to come: the methods of a pipeline return those that have")
)

// Get returns the reply, or how the command failed: with the errors of the same method of Commands, Nil included.
// Before the pipeline was executed it is an error that says so.
func (f *Future[T]) Get() (T, error) {
	switch {
	case f.settled:
		return f.value, f.err
	case f.decode == nil:
		return f.value, errNoFuture
	}
	return f.value, errNotYet
}

// Err is the error of Get.
func (f *Future[T]) Err() error {
	_, err := f.Get()
	return err
}

// Reordered reports whether the command, refused for the moment, ran behind a later one of its pipeline with the same
// key, where either writes. It is false before the pipeline was executed.
func (f *Future[T]) Reordered() bool { return f.reordered }

func (f *Future[T]) settle(c *Call, p *packer, err error) error {
	if err == nil {
		f.value, err = f.decode(c, p)
	}
	f.err, f.decode, f.settled, f.reordered = err, nil, true, c.Reordered
	return err
}

// settler is a Future of any type.
type settler interface {
	settle(c *Call, p *packer, err error) error
}

// Settle gives the outcome of a queued call to its future, and returns the error by which the command failed: Nil is no
// failure. Exec calls it; a program has no need to.
func Settle(q *Queued, c *Call, err error) error {
	if c.Own || c.Elements != nil { // the value may be large, and its slab would be kept for the next commands
		q.slabs = nil
	}
	if err = c.future.settle(c, &q.pack, err); err == Nil { //nolint:errorlint // decoders return it unwrapped
		return nil
	}
	return err
}

// slab is memory for futures. Eighteen of them fill what the runtime gives for one allocation: 896 bytes if they are of
// strings, 1024 if of bytes.
type slab[T any] struct {
	futures [18]Future[T]
	used    int
}

// queue keeps an encoded call with a future for its reply.
func queue[T any](q *Queued, c *Call, decode decoder[T]) *Future[T] {
	s := slabOf[T](q)
	f := &s.futures[s.used]
	s.used++
	f.decode = decode
	c.future = f
	return f
}

// QueueReply keeps a call of any command with a future for its reply. Pipeline.Do calls it; a program has no need to.
func QueueReply(q *Queued, c *Call) *Future[Reply] { return queue(q, c, reply) }

// slabOf returns a slab with room for one more future.
func slabOf[T any](q *Queued) *slab[T] {
	for i, s := range q.slabs {
		if s, ok := s.(*slab[T]); ok {
			if s.used == len(s.futures) {
				s = new(slab[T])
				q.slabs[i] = s
			}
			return s
		}
	}
	s := new(slab[T])
	q.slabs = append(q.slabs, s)
	return s
}
