package keyslot

import (
	"context"
	"crypto/sha1" //nolint:gosec // how servers name scripts
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// Script is a Lua script, made by NewScript; the zero Script cannot be used. It is immutable: make it once, and use it
// from any goroutine and with any client.
//
// All keys that a script uses are named, and lie in one slot: the slot decides where it runs. The script is sent by its
// digest, and whole where a node does not know it: a node forgets its scripts when it restarts, and a new one has none.
type Script struct{ source, digest string }

// NewScript returns the script with this source. A first line such as "#!lua flags=no-writes" is for the server (Redis
// 7.0). Nothing is sent.
func NewScript(source string) *Script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // how servers name scripts
	return &Script{source, hex.EncodeToString(sum[:])}
}

// Run runs the script and returns its reply. The keys are the script's KEYS, args, of the types that Client.Do takes,
// its ARGV. c may be a view of a client. It blocks as Client.Do does.
//
// Its errors are those of Client.Do. Where the script itself raises an error it may have run in part, so such an error
// has an unknown outcome unless the server's own words prove that the script did not start.
func (s *Script) Run(ctx context.Context, c *Client, keys []string, args ...any) (Reply, error) {
	return s.run(ctx, c, "EVALSHA", "EVAL", keys, args)
}

// RunReadOnly is Run for a script that only reads (Redis 7.0). The server refuses its writes; a replica may run it
// where the view c reads from replicas; and it is run again where a connection was lost. It can change nothing, so an
// error that it raises is an answer, of no unknown outcome.
func (s *Script) RunReadOnly(ctx context.Context, c *Client, keys []string, args ...any) (Reply, error) {
	return s.run(ctx, c, "EVALSHA_RO", "EVAL_RO", keys, args)
}

func (s *Script) run(ctx context.Context, c *Client, byDigest, bySource string, keys []string, args []any) (Reply, error) {
	if wrong := s.unusable(c); wrong != "" {
		return Reply{}, misuse(byDigest, wrong)
	}
	args = marshal(args)
	began := c.terms.began()
	call := c.terms.begin()
	defer func() { call.release() }()
	call.encodeScript(byDigest, s.digest, keys, args)
	now, until, err := call.enter(ctx)
	if err == nil {
		defer c.core.running.leave()
		err = call.performWithin(ctx, now, until)
	}
	if lacksScript(err) { // the same patience bounds both, and Shutdown waits for both
		var before summary
		before.add(call)
		call.release()
		call = c.terms.begin()
		call.encodeScript(bySource, s.source, keys, args)
		if err = call.check(); err == nil {
			err = call.performWithin(ctx, time.Now(), until)
		}
		call.follows(&before)
	}
	var r Reply
	if err == nil {
		r, err = call.decode()
	}
	call.report(ctx, began, err) // once, of both
	return r, err
}

const zeroScript = "the zero Script cannot be used: make one by NewScript"

// unusable returns why the script cannot be run by c, or nothing.
func (s *Script) unusable(c *Client) string {
	switch {
	case s.digest == "":
		return zeroScript
	case c == nil:
		return "the client is nil"
	}
	return ""
}

// lacksScript reports whether the server proved, in its own words, that it did not know the script and ran nothing. A
// script can return an error that begins with NOSCRIPT; only one that returns just these words is taken for the server.
func lacksScript(err error) bool {
	if !errors.Is(err, ErrNotExecuted) {
		return false
	}
	switch said, _ := replyIn(err); said {
	case "NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT No matching script.": // Redis; Valkey 8
		return true
	}
	return false
}

// encodeScript writes the request; an argument that cannot be sent is what check fails with.
func (call *call) encodeScript(name, script string, keys []string, args []any) {
	if index, reason := encodeScript(&call.Request, name, script, keys, args); reason != "" {
		call.Refuse(index, reason)
	}
}

func encodeScript(r *resp.Request, name, script string, keys []string, args []any) (index int, reason string) {
	r.Arg(name)
	r.Arg(script)
	r.ArgInt(int64(len(keys)))
	for _, key := range keys {
		r.Key(key)
	}
	before := r.Len()
	if index, reason = encode(r, args); reason != "" {
		reason = fmt.Sprintf("ARGV[%d]: %s", index+1, reason)
	}
	return before + index, reason
}

// Queue queues the script in a pipeline; for a transaction use Tx.Eval. It is sent whole, since nothing behind it could
// wait until a node has learnt it: for a long script, a Run for each may be less to send. An argument that cannot be
// sent is the future's error.
func (s *Script) Queue(p *Pipeline, keys []string, args ...any) *Future[Reply] {
	return s.queue(p, "EVAL", keys, args)
}

// QueueReadOnly is Queue for a script that only reads, on the terms of RunReadOnly (Redis 7.0).
func (s *Script) QueueReadOnly(p *Pipeline, keys []string, args ...any) *Future[Reply] {
	return s.queue(p, "EVAL_RO", keys, args)
}

func (s *Script) queue(p *Pipeline, name string, keys []string, args []any) *Future[Reply] {
	args = marshal(args)
	call := p.into.Begin()
	index, reason := encodeScript(&call.Request, name, s.source, keys, args)
	if s.digest == "" {
		index, reason = 0, zeroScript
	}
	if reason != "" {
		call.Refuse(index, reason)
	}
	return command.QueueReply(&p.queued, call)
}

// LoadEverywhere makes every node of the topology know the script, replicas too, whatever the route of the view c, so
// that no Run has to send it whole. It blocks as Client.Do does. A *PartsError lists the nodes that could not be told;
// Run works there all the same, as on nodes that come later. FunctionLoadReplace does the like for a library of
// functions. SCRIPT LOAD: O(n) in the length of the script.
func (s *Script) LoadEverywhere(ctx context.Context, c *Client) error {
	if wrong := s.unusable(c); wrong != "" {
		return misuse("SCRIPT LOAD", wrong)
	}
	_, err := c.On(nil).Do(ctx, "SCRIPT", "LOAD", s.source)
	return err
}
