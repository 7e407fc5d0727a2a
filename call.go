package keyslot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// call is one command from its caller's first argument to its outcome. It belongs to one goroutine. A flight has many
// of them, and walks over them again and again, so they are small, and what most of them use stands together, in front.
type call struct {
	command.Call       // with the reply to the last attempt, which may be an error
	slot         int   // or command.NoSlot
	err          error // the outcome, where there is no reply
	trip
	terms *terms
	split *split // into what, in a flight; nil: it runs as one
	solo  *solo  // with which it is sent; nil: it is a flight's
}

// solo is what a call is sent with alone. Its wire call is the connection's between send and wait.
type solo struct {
	wire   wire.Call
	waiter wire.Waiter
	wires  [1]*wire.Call // &wire
	calls  [1]*call      // the call itself
}

// trip is where a call goes, and where it has been.
type trip struct {
	asking   bool
	blocks   bool // it waits at the server, on a connection of its own
	apart    bool // it is for a node where a script runs: on a connection of its own, for on others it would wait behind the script
	large    bool // the attempt under way goes where large values go
	troubled bool // trouble is the call's own
	readonly bool // the attempt under way goes to a replica, over a READONLY connection
	movable  bool // that connection may give the call back, if it falls silent
	counted  bool // it is in the count of its node's reads
	spurned  bool // a replica left the last attempt unanswered
	seeking  bool // a null says nothing of what the other primaries have: RANDOMKEY
	leads    bool // pinned is of no use once it leads no shard
	attempts int32
	node     *node   // of the attempt under way, or where the next one goes; nil: where the map says
	*trouble         // the core's calm, or another shared one, never written to, until the call gets into some of its own
	routes   *routes // that chose the node of the last attempt which was not redirected
	pinned   *node   // the only node it may go to; nil: any that serves its slot
	of       *split  // what the call is a part of, for one primary; another node may take pinned's place
	begun    int64   // when the attempt under way began, where it is timed; else 0
}

// trouble is what becomes of a call that is not answered at once. Most calls are, and share an empty one; those that
// end together, as a large pipeline does at its deadline, share one that says why.
type trouble struct {
	due       time.Time // of the next attempt; zero: now
	forMap    bool      // a new map would make it due at once
	redirects int
	redialled bool
	maybe     bool       // an attempt was sent and not answered
	verdict   verdict    // on the last attempt
	lost      error      // why the last attempt had no reply
	sent      bool       // with lost: the request was written whole
	ending    *ending    // with lost, where it is a batch that was: how its calls end, unless they go on
	via       *wire.Conn // the connection of the last attempt
	refusal   string     // the error reply it had, if it had a reply
	tried     *node      // of the last attempt that failed
	said      string     // the last error reply of any attempt
	steps     []CallStep
	pacers    *[replicasWait + 1]pacer
	blocking  blocking
	borrowed  *wire.Conn   // the dedicated connection of the attempt under way
	empty     []*node      // that have said null to a seeking call
	each      *[]NodeReply // where DoEach wants the replies, which are not joined
	keeps     bool         // borrowed stays the caller's when the attempt is answered: WATCH
	tx        *transaction // what the call is, if it is one
}

// newCall returns a call for a single command, lent again and again by the core's pool.
func newCall(c *core) *call {
	own := new(struct {
		call
		solo
	})
	call, solo := &own.call, &own.solo
	call.init(c)
	call.Call = command.NewCall(call.exec, call.release)
	call.solo, solo.wires[0], solo.calls[0] = solo, &solo.wire, call
	solo.waiter.Prompt = true
	return call
}

func (call *call) init(c *core) {
	call.terms, call.trouble, call.slot = &c.terms, &c.calm, command.NoSlot
}

// encode writes the request; an argument that cannot be sent is what exec fails with.
func (call *call) encode(args []any) {
	if index, reason := encode(&call.Request, args); reason != "" {
		call.Refuse(index, reason)
	}
}

// exec runs the encoded command to its outcome.
func (call *call) exec(ctx context.Context) error {
	if call.terms.called != nil {
		return call.execReported(ctx)
	}
	return call.perform(ctx)
}

// perform is exec without Trace.Called: check, plan, then the attempts.
func (call *call) perform(ctx context.Context) error {
	now, until, err := call.enter(ctx)
	if err != nil {
		return err
	}
	defer call.terms.core.running.leave()
	return call.performWithin(ctx, now, until)
}

// enter checks and admits a single command, as terms.enter does.
func (call *call) enter(ctx context.Context) (now, until time.Time, err error) {
	if err = call.check(); err != nil {
		return now, until, err
	}
	if now, until, err = call.terms.enter(ctx); err != nil {
		err = call.fail(NotExecuted, err)
	}
	return now, until, err
}

// performWithin is perform for a call that has entered.
func (call *call) performWithin(ctx context.Context, now, until time.Time) error {
	call.solo.waiter.Now = now
	splits, err := call.plan()
	switch {
	case err != nil:
		return err
	case splits:
		return call.runSplit(ctx, until)
	case call.blocks:
		if err := call.sayLast(ctx, until); err != nil {
			return err
		}
		until = call.startBlocking(until, now)
	}
	call.terms.core.run(ctx, until, call.solo.calls[:], nil)
	return call.err
}

// decode returns the reply to a command that was answered.
func (call *call) decode() (Reply, error) {
	v, err := call.Value()
	if err != nil {
		return Reply{}, call.fail(Unknown, err)
	}
	return command.NewReply(v), nil
}

// enter admits a command, or several that run together. until is their deadline, as patience says. Unless it fails,
// running.leave must follow.
func (t *terms) enter(ctx context.Context) (now, until time.Time, err error) {
	c := t.core
	switch {
	case ctx == nil:
		return now, until, errNilContext
	case ctx.Err() != nil:
		return now, until, ctx.Err()
	case !c.running.enter(t.within):
		return now, until, ErrClosed
	}
	now = time.Now()
	until = t.patience(ctx, now)
	if err := t.ready(ctx, until); err != nil {
		c.running.leave()
		return now, until, err
	}
	c.noticeAge(now)
	return now, until, nil
}

// wake waits for the first map of a Lazy client. Whoever plans commands before they enter needs it, for a plan depends on
// what answers: a single server refuses no slots. After an error do not enter: that would wait for the same map again.
func (t *terms) wake(ctx context.Context) error {
	if t.core.routes.Load() != nil {
		return nil
	}
	_, _, err := t.enter(ctx)
	if err == nil {
		t.core.running.leave()
	}
	return err
}

// check refuses what cannot be sent, before anything is.
func (call *call) check() error {
	if err := call.Refused(); err != nil {
		return err
	}
	if index := oversized(&call.Request, maxArgument); index >= 0 {
		return call.refuse(index, "longer than 512 MiB, which is more than servers take")
	}
	call.identify()
	if call.Cmd == nil {
		return call.checkName()
	}
	if call.Cmd.Refuse != "" {
		return call.refuse(0, call.Cmd.Name+" "+call.Cmd.Refuse)
	}
	if err := call.Cmd.CheckArity(call.Request.Len()); err != nil {
		return call.refuse(0, strings.TrimPrefix(err.Error(), call.Cmd.Name+" "))
	}
	return nil
}

// checkName is check for a command that the table does not know.
func (call *call) checkName() error {
	if call.Request.Len() == 0 || len(call.Request.At(0)) == 0 {
		return call.refuse(0, "the name of the command is missing")
	}
	if bytes.ContainsAny(call.Request.At(0), " \t\r\n") { // no command of any server or module is called so
		return call.refuse(0, `the name of a command has no spaces: pass the name and each argument by itself, as in "GET", "key"`)
	}
	return nil
}

// identify looks the command up in the table, unless whoever encoded it knew it.
func (call *call) identify() {
	if call.Cmd == nil {
		call.Cmd, _ = spec.Lookup(&call.Request)
	}
}

// patience returns the deadline of a call whose context has none; zero where the context has one, or nothing bounds the call.
func (t *terms) patience(ctx context.Context, now time.Time) time.Time {
	if _, ok := ctx.Deadline(); ok || t.timeout < 0 {
		return time.Time{}
	}
	return now.Add(t.timeout)
}

// keepReply is the most memory, in bytes, that waits for the reply of the next single command. A longer reply is left
// to whoever has it, so that a large value need not be copied once more.
const keepReply = 64 << 10

// release ends a single command's call and keeps it for another one.
func (call *call) release() {
	call.Request.Reset()
	call.forget()
	if call.solo.wire.Abandoned { // its reply may be arriving
		return
	}
	call.solo.wire.Request = nil // which is in the memory that Reset may have given up
	if cap(call.solo.wire.Reply) > keepReply {
		call.solo.wire.Reply = nil
	}
	call.terms.core.idle.Put(call)
}

// forget makes the call empty again but for its request.
func (call *call) forget() {
	if call.counted { // a function of Trace has panicked before the call was judged
		call.ends()
	}
	call.Forget()
	call.terms = &call.terms.core.terms
	call.slot, call.blocks, call.err = command.NoSlot, false, nil
	call.node, call.routes, call.attempts, call.asking, call.readonly, call.spurned, call.apart = nil, nil, 0, false, false, false, false
	if calm := &call.terms.core.calm; call.pinned != nil || call.of != nil || call.trouble != calm || call.seeking {
		call.trip = trip{trouble: calm}
	}
	call.Frame = nil
	if call.split != nil { // and with it the flight of its parts, in whose memory the reply was
		call.split.release(call.terms.core)
		call.split = nil
	}
}

// ownTrouble makes the trouble the call's own.
func (call *call) ownTrouble() {
	if !call.troubled {
		own := *call.trouble
		call.trouble, call.troubled = &own, true
	}
}

// renew lets the connection of the last attempt take no more calls, unless that was done a moment ago to no avail.
func (call *call) renew() {
	if l := call.lane(); l.mayRenew(call.via, time.Now()) {
		l.renew(call.via)
	}
}

// lane returns what the attempt under way goes through.
func (call *call) lane() *lane {
	if call.readonly {
		return call.node.reading.lane(call.slot)
	}
	return call.node.lane(call.slot)
}

// isStranded reports whether the one node that a call may go to is gone, or is of no use by now.
func (call *call) isStranded() bool {
	switch {
	case call.of != nil:
		return errors.Is(call.lost, errScattered)
	case call.pinned == nil:
		return false
	}
	return errors.Is(call.lost, errRetired) || strings.HasPrefix(call.refusal, "READONLY ") || call.leads && errors.Is(call.lost, errLostSlots)
}

// seekOn sends a call elsewhere that one primary answered with null, unless all have, and reports whether it did.
func (call *call) seekOn() bool {
	if resp.KindOf(call.Frame) != resp.Null {
		return false
	}
	call.ownTrouble()
	call.empty = append(call.empty, call.node)
	call.node, call.due = nil, time.Time{}
	return call.terms.core.routes.Load().anyPrimary(call.empty...) != nil
}

// encoded returns what is sent of the call: a transaction's commands are not its own.
func (call *call) encoded() []byte {
	if call.tx != nil {
		return call.solo.wire.Request
	}
	return call.Request.Frame()
}

// isMovable reports whether the connection of the attempt under way may give the call back.
func (call *call) isMovable() bool { return call.readonly && call.movable }

// came takes the outcome of an attempt on its own, which failed with err unless that is nil, or else is on the wire
// call. It reports whether there is nothing to judge.
func (call *call) came(err error) (plain bool) {
	switch out := &call.solo.wire; {
	case err != nil:
		call.unsent(call.terms.named(err, out.Deadline))
	case out.Err != nil:
		call.unanswered(call.terms.named(out.Err, out.Deadline), out.Sent, out.Via())
	case out.Batch != nil: // of a transaction, which is judged by all its replies
		call.replied(out.Replies[len(out.Replies)-1], false, out.Via())
	default:
		return call.replied(out.Reply, len(out.Reply) > keepReply, out.Via())
	}
	return false
}

// replied takes the reply to an attempt, which may be an error; own is what Call.Own is of it. It reports whether there
// is nothing to judge.
func (call *call) replied(frame []byte, own bool, via *wire.Conn) (plain bool) {
	call.Frame, call.Own = frame, own
	if call.troubled || resp.IsError(frame) {
		call.ownTrouble()
		call.lost, call.sent, call.ending, call.via = nil, false, nil, via
		return false
	}
	return !call.readonly && !call.counted && !call.seeking && !call.large // for each of these judge does something
}

// unanswered notes why an attempt had no reply, and whether it was sent whole.
func (call *call) unanswered(err error, sent bool, via *wire.Conn) {
	call.ownTrouble()
	call.Frame, call.lost, call.sent, call.ending, call.via = nil, err, sent, nil, via
}

// unsent notes why an attempt was taken by no connection.
func (call *call) unsent(err error) { call.unanswered(err, false, nil) }

// answered reports whether the last attempt came back with a reply that is no error.
func (call *call) answered() bool {
	if call.lost != nil {
		return false
	}
	if call.tx != nil {
		return call.tx.read(call.solo.wire.Replies) != txRefused
	}
	return !resp.IsError(call.Frame)
}

// lastAttempt describes an attempt that came back without a reply, or with an error reply.
func (call *call) lastAttempt() attempt {
	a := attempt{
		slot: call.slot, pinned: call.pinned != nil, err: call.lost, sent: call.sent, repeatable: call.isRepeatable(),
		script: call.isScript(), reads: call.onlyReads(),
	}
	switch {
	case a.err != nil:
	case call.tx != nil:
		a.refusal, a.discarded = call.tx.last.refusal, call.tx.last.fate == txRefused
	default:
		text, _ := resp.Payload(call.Frame)
		a.refusal = refusalText(text)
	}
	call.refusal = a.refusal
	call.tried, call.said = cmp.Or(call.node, call.tried), cmp.Or(a.refusal, call.said)
	return a
}

// isRepeatable reports whether running the command twice is as good as once. What blocks and writes takes something
// each time; WATCH takes nothing.
func (call *call) isRepeatable() bool {
	return call.terms.idempotent && (!call.blocks || call.keeps) ||
		call.Cmd != nil && call.Cmd.Repeatable(&call.Request) || call.tx != nil && call.tx.reads
}

// isScript reports whether the command runs a script or a function, which may answer anything.
func (call *call) isScript() bool {
	return call.Cmd != nil && (strings.HasPrefix(call.Cmd.Name, "EVAL") || strings.HasPrefix(call.Cmd.Name, "FCALL"))
}

// serverError is what the server answered, without the arguments that it quotes. A script's own error is left as it is:
// it quotes what its author wants it to.
func (call *call) serverError(text string) ServerError {
	if call.isScript() && !strings.HasPrefix(text, "ERR Error compiling") {
		return ServerError(text)
	}
	return ServerError(resp.Conceal(text, &call.Request))
}

// refusalText returns an error reply without the arguments that servers list after an unknown command.
func refusalText(reply []byte) string {
	text, _, _ := strings.Cut(string(reply), ", with args beginning with:")
	return text
}

// failLast ends a call with the failure of its last attempt.
func (call *call) failLast(v verdict, closed bool) {
	switch {
	case call.lost == nil:
		call.err = call.fail(call.outcome(v), call.asker().serverError(call.refusal))
	case closed:
		call.err = call.fail(call.outcome(v), ErrClosed)
	case isPatience(call.lost) && call.said != "":
		call.err = call.fail(call.outcome(v), fmt.Errorf("%w; last answer: %w", call.lost, call.asker().serverError(call.said)))
	case errors.Is(call.lost, errRetired):
		call.err = call.fail(call.outcome(v), lastDial(call.lost, call.lastNode()))
	default:
		call.err = call.fail(call.outcome(v), call.lost)
	}
}

// lastDial adds to why a command for n has ended what kept n from being reached. A dial that timed out did so by
// itself: to callers a context's error is the end of their patience.
func lastDial(why error, n *node) error {
	switch _, _, failed := n.redial.state(); {
	case failed == nil:
		return why
	case errors.Is(failed, context.DeadlineExceeded), errors.Is(failed, context.Canceled):
		return fmt.Errorf("%w; last attempt: %v", why, failed) //nolint:errorlint // so that nobody finds it
	default:
		return fmt.Errorf("%w; last attempt: %w", why, failed)
	}
}

// giveUp ends a call whose caller's patience has ended between two attempts.
func (call *call) giveUp(patience error) {
	outcome := call.outcome(call.verdict)
	switch e := call.ending; {
	case e != nil:
		call.err = e.givenUp(patience).next(call, outcome)
	case call.lost != nil:
		call.err = call.fail(outcome, lastLost(patience, call.lost))
	case call.refusal == "": // the last answer was a null that is not believed: see doubts and seekOn
		call.err = call.fail(outcome, patience)
	default:
		call.err = call.fail(outcome, fmt.Errorf("%w; last answer: %w", patience, call.asker().serverError(call.refusal)))
	}
}

func lastLost(patience, lost error) error { return fmt.Errorf("%w; last attempt: %w", patience, lost) }

// outcome is what is known of the command as a whole: if any attempt may have run, it may have run.
func (call *call) outcome(v verdict) Outcome {
	if call.maybe && v.executed == NotExecuted {
		return Unknown
	}
	return v.executed
}

func (call *call) fail(outcome Outcome, cause error) error {
	e := ending{cause: cause, passes: passes(cause)}
	if call.lost != nil {
		e.phase = phaseOf(call.lost, call.sent)
	}
	err := e.of(call, outcome)
	return &err
}

// ending is how calls end that have a cause in common: what there is to say of it is found out once. Found out call by
// call, it makes giving a large pipeline up dearer than running it (BenchmarkPipelineGivenUp).
type ending struct {
	// immutable
	cause    error
	phase    string
	passes   bool
	patience bool // the cause is the end of the caller's own: none of the calls goes on

	calls int     // how many have no error yet
	room  []Error // for those of the next calls
	later *ending // of those that would have gone on, had the caller's patience not ended; made when it has
}

func (e *ending) of(call *call, outcome Outcome) Error {
	err := Error{
		Command: call.Name(), Slot: call.slot, Attempts: int(call.attempts), Redirects: call.redirects, Phase: e.phase,
		Outcome: outcome, Retryable: e.passes && call.mayBeSentAgain(outcome), Err: e.cause,
	}
	if last := call.lastNode(); last != nil {
		err.Node = last.addr()
	}
	return err
}

// givenUp returns how calls end of which this would not have been the end.
func (e *ending) givenUp(patience error) *ending {
	if e.later == nil {
		cause := lastLost(patience, e.cause)
		e.later = &ending{cause: cause, phase: e.phase, passes: passes(cause), calls: e.calls}
	}
	return e.later
}

// next returns the error of one more of the calls. Ten of them lie together, as futures do.
func (e *ending) next(call *call, outcome Outcome) error {
	if len(e.room) == 0 {
		e.room = make([]Error, max(1, min(e.calls, 10)))
	}
	err := &e.room[0]
	*err = e.of(call, outcome)
	e.room = e.room[1:]
	e.calls--
	return err
}

// strayKey returns the first key that is in another slot than slot: its index among the words, and its slot. All are in
// slot if the index is 0.
func (call *call) strayKey(slot int) (index, got int) {
	for _, k := range call.Request.Keys() {
		if got := int(slotOf(call.Request.At(k))); got != slot {
			return k, got
		}
	}
	return 0, slot
}

// keyAt is what to call the key at an index among the words: of a script, what the script calls it.
func (call *call) keyAt(index int) string {
	if !call.isScript() {
		return "its key"
	}
	const first = 3 // behind the script and the number of keys
	return fmt.Sprintf("KEYS[%d]", index-first+1)
}

// shareSlot is what to do where keys lie in several slots and may not.
const shareSlot = "give the keys a common hash tag, like {user:1}:name"

func (call *call) refuse(index int, reason string) error {
	return call.fail(NotExecuted, &ArgumentError{Index: index, Reason: reason})
}

// pacer returns the source of pauses of one kind.
func (call *call) pacer(p pause) *pacer {
	if call.pacers == nil {
		call.pacers = &[replicasWait + 1]pacer{
			tryAgainWait: {first: 5 * time.Millisecond, limit: 200 * time.Millisecond},
			clusterWait:  {first: 50 * time.Millisecond, limit: 500 * time.Millisecond},
			replicasWait: {first: 100 * time.Millisecond, limit: time.Second},
		}
	}
	return &call.pacers[p]
}
