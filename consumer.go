package keyslot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

// Consumer reads streams as one member of a consumer group, which shares their entries among its consumers. The streams may
// lie in any slots. It is made by NewConsumer; the zero Consumer cannot be used. Its methods are safe for concurrent use.
type Consumer struct {
	// immutable
	client *Client // whose commands run once at most: an entry of a lost reply is pending, and read as such
	steady *Client // whose commands may run twice
	opts   ConsumerOptions

	busy atomic.Bool
}

// ConsumerOptions say what a Consumer reads, and how. Group, Name and Streams are required.
type ConsumerOptions struct {
	Group   string   // the consumer group
	Name    string   // of this consumer: no other one that runs may have it, and it should be the same after a restart
	Streams []string // the keys, in any slots

	// CreateFrom, if set, creates the group where it is missing, and the stream with it: "0" for a group that gets all
	// entries, "$" for those added from then on, or an id. A group that is lost later, because somebody deleted the
	// stream or flushed the cluster, is created from "0", for what was acknowledged is lost with it. Where the stream
	// has outlived its group, as after XGROUP DESTROY, all that it still has is handled, again or for the first time.
	// If empty, a missing group ends Run.
	CreateFrom string

	// Count is how many entries of a stream are read at a time. They are handled before the next ones are read. 64 by
	// default. Those at the end wait for those in front, so Count times what an entry takes should be less than MinIdle.
	Count int
	// Block is how long a read waits for new entries before it is sent again. 5 s by default.
	Block time.Duration
	// MinIdle is how long an entry may be delivered and not acknowledged, to any consumer of the group, until this one
	// claims it: the other is taken for dead. A minute by default; negative: nothing is claimed.
	MinIdle time.Duration

	// Entries of a slot are acknowledged together: as soon as AckCount wait for it (100 by default), and at the latest
	// AckDelay after the first of them (100 ms by default). Where acknowledgements do not pass, the slot is read on
	// until ten times AckCount wait.
	AckCount int
	AckDelay time.Duration
}

// Entry is one entry of a stream as a Consumer was given it. It owns its memory and may be kept.
type Entry struct {
	command.StreamEntry
	Stream string

	// Deliveries is how often the entry was delivered, this time included, to this consumer or another one: 1 for a new
	// entry. A handler that sees a high number may put the entry aside and return nil.
	Deliveries int64
}

// NewConsumer returns a consumer that reads through client, or an *OptionError. It asks nobody and dials nothing. It
// costs next to nothing: make one for each name, and several names to handle the entries of one stream at the same
// time. Of a view its route holds, which must lead to one node; Idempotent and ReadFrom change nothing.
func NewConsumer(client *Client, opts ConsumerOptions) (*Consumer, error) {
	if client == nil {
		return nil, &OptionError{"NewConsumer.client", "is nil"}
	}
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	once := *client.terms
	once.idempotent, once.reads = false, Primary // what is pending has to be asked of who knows what was delivered a moment ago
	return &Consumer{client: client.on(once), steady: client.Idempotent().Timeout(lastAcks), opts: opts}, nil
}

func (o ConsumerOptions) withDefaults() (ConsumerOptions, error) {
	o.Streams = slices.Clone(o.Streams)
	sorted := slices.Sorted(slices.Values(o.Streams))
	for _, wrong := range []struct {
		is             bool
		option, reason string
	}{
		{o.Group == "", "Group", "is missing"},
		{o.Name == "", "Name", "is missing"},
		{len(sorted) == 0, "Streams", "is empty"},
		{len(slices.Compact(sorted)) < len(o.Streams), "Streams", "names one stream twice"},
		{!startsGroup(o.CreateFrom), "CreateFrom", `is neither "0", "$" nor an id as 1526919030474-55`},
		{o.Count < 0, "Count", "must not be negative"},
		{o.Block < 0, "Block", "must not be negative"},
		{o.AckCount < 0, "AckCount", "must not be negative"},
		{o.AckDelay < 0, "AckDelay", "must not be negative"},
	} {
		if wrong.is {
			return o, &OptionError{"ConsumerOptions." + wrong.option, wrong.reason}
		}
	}
	o.Count = cmp.Or(o.Count, 64)
	o.Block = cmp.Or(o.Block, 5*time.Second)
	o.MinIdle = cmp.Or(o.MinIdle, time.Minute)
	if o.MinIdle > 0 {
		o.MinIdle = max(o.MinIdle.Truncate(time.Millisecond), time.Millisecond) // what a server counts in
	}
	o.AckCount = cmp.Or(o.AckCount, 100)
	o.AckDelay = cmp.Or(o.AckDelay, 100*time.Millisecond)
	return o, nil
}

// startsGroup reports whether a group can be created from there: an empty id is for none, and the servers take one
// without the part behind the hyphen.
func startsGroup(id string) bool {
	if id == "" || id == "$" {
		return true
	}
	ms, seq, whole := strings.Cut(id, "-")
	_, err := strconv.ParseUint(ms, 10, 64)
	if err == nil && whole {
		_, err = strconv.ParseUint(seq, 10, 64)
	}
	return err == nil
}

var (
	errConsumerRuns = errors.New("keyslot: the consumer is running already: make another one, with a name of its own")
	errZeroConsumer = errors.New("keyslot: the zero Consumer cannot be used: make one by NewConsumer")
	errNoHandler    = errors.New("keyslot: the function that is to handle the entries is nil")
)

// lastAcks is how long Run waits at the end for what was handled to be acknowledged.
const lastAcks = 5 * time.Second

// Run reads entries and calls handle for each, until ctx ends; then it lets the calls of handle that are under way
// return, acknowledges what was handled, and returns nil. It blocks all that time, and leaves nothing behind. The
// streams of one slot are read together, over a connection of their own that follows the slot; handle is called for one
// entry after the other of a slot, and for several slots at the same time. The ctx of handle ends with Run's, or when
// Run fails; use context.WithoutCancel to finish what has begun.
//
// An entry for which handle returns nil is acknowledged. One for which it fails stays pending: it is given to handle
// again, here or by another consumer of the group, after MinIdle, or sooner where this consumer reads what it has
// pending, which it does at the start and after a lost reply. The entries of a stream come in order but for those that
// come again. Options.Logger is told of the error, for each slot at most every 10 s, with the stream, the entry's id,
// and how many failed since the last record; Run returns nil all the same. A panic in handle ends the process, for it
// runs on a goroutine of Run's own: recover there what should not.
//
// Every entry is handled at least once. It is handled more than once after a crash, after a failover that lost the
// acknowledgement, when another consumer claims it because it has not been acknowledged for MinIdle, and where a lost
// group is created anew (CreateFrom); as long as the consumer lives, the loss of a connection alone leads to none of
// these. An entry deleted from its stream before it was delivered again is dropped.
//
// Trouble with the cluster is waited out; the slots of other nodes go on meanwhile. Run ends with an error where
// waiting does not help: a group that is missing, a key that is no stream, a permission that is missing, a client that
// was closed, and where what was handled could not be acknowledged within 5 s at the end. It needs Redis 6.2 and the
// commands XREADGROUP, XACK, XAUTOCLAIM, XPENDING and XGROUP CREATE.
func (c *Consumer) Run(ctx context.Context, handle func(ctx context.Context, e Entry) error) error {
	switch {
	case c.client == nil:
		return errZeroConsumer
	case ctx == nil:
		return errNilContext
	case handle == nil:
		return errNoHandler
	}
	if !c.busy.CompareAndSwap(false, true) {
		return errConsumerRuns
	}
	defer c.busy.Store(false)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// What was handled is acknowledged even though ctx has ended.
	acking, stopAcking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAcking()

	var feeds []*feed
	var reading, acknowledging sync.WaitGroup
	for _, streams := range c.bySlot() {
		f := newFeed(c, streams)
		feeds = append(feeds, f)
		fail := func(err error) { stop(f.ended(err)) }
		acknowledging.Go(func() { f.acks.run(acking, fail) }) // ends after the feed; Run waits for it
		reading.Go(func() {                                   // ends with running; Run waits for it
			defer close(f.acks.ended)
			if err := f.run(running, handle); err != nil {
				fail(err)
			}
		})
	}
	reading.Wait()
	giveUp := time.AfterFunc(lastAcks, stopAcking)
	defer giveUp.Stop()
	acknowledging.Wait()

	if ctx.Err() == nil {
		return context.Cause(running)
	}
	return unacknowledged(feeds)
}

// ended is why Run ends, because of what the feed's streams have met. They are named, as in the log: the server's
// words have no keys.
func (f *feed) ended(err error) error {
	return &consumerError{fmt.Sprintf("consumer %q of group %q, streams %q", f.opts.Name, f.opts.Group, f.streams), err}
}

// unacknowledged returns an error if entries that were handled have not been acknowledged.
func unacknowledged(feeds []*feed) (err error) {
	entries := 0
	for _, f := range feeds {
		n, why := f.acks.left()
		entries += n
		if n > 0 {
			err = why
		}
	}
	if entries == 0 {
		return nil
	}
	return &consumerError{fmt.Sprintf("%d entries were handled but not acknowledged, and will be delivered again", entries), err}
}

// consumerError is why Run has ended: mostly the error of a command, whose text says once more whose it is.
type consumerError struct {
	what  string
	cause error
}

func (e *consumerError) Error() string {
	return "keyslot: " + e.what + ": " + strings.TrimPrefix(e.cause.Error(), "keyslot: ")
}

func (e *consumerError) Unwrap() error { return e.cause }

// bySlot returns the streams of each slot, in the order of the options.
func (c *Consumer) bySlot() (groups [][]string) {
	at := map[uint16]int{}
	for _, stream := range c.opts.Streams {
		slot := Slot(stream)
		i, ok := at[slot]
		if !ok {
			i = len(groups)
			at[slot], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], stream)
	}
	return groups
}
