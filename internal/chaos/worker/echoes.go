package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// nonce returns the record of something that comes back as it is: the operation's name, which no other has.
func (l *lane) nonce(at place, via string) ledger.Record {
	id := l.id()
	return ledger.Record{ID: id, Kind: ledger.Echo, Via: via, Slot: at.slot, Want: id}
}

// bound returns the record of a read of one of the place's keys.
func (l *lane) bound(at place, via string) ledger.Record {
	return l.boundAt(at, via, l.draw.IntN(at.values))
}

func (l *lane) boundAt(at place, via string, i int) ledger.Record {
	key := boundKey(at, l.round.number, i)
	return ledger.Record{ID: l.id(), Kind: ledger.Echo, Via: via, Key: key, Slot: at.slot, Want: boundValue(key)}
}

// tell makes one call with one reply, and writes down what came.
func (l *lane) tell(op ledger.Record, ask func(ctx context.Context) (string, error)) int {
	c := l.call()
	var err error
	op.Got, err = ask(c.ctx)
	c.returned()
	c.record(op, err)
	return 1
}

func (l *lane) echo() int {
	op := l.nonce(l.pick(), "echo")
	client := l.round.client.On(keyslot.ToSlot(op.Slot))
	return l.tell(op, func(ctx context.Context) (string, error) { return client.Echo(ctx, op.Want) })
}

// scriptEcho gets its nonce from a script, which is a write to the client: it is not sent again.
func (l *lane) scriptEcho() int {
	at := l.pick()
	op := l.nonce(at, "eval echo")
	op.Key = at.key("ledger", l.round.number)
	return l.tell(op, func(ctx context.Context) (string, error) { return l.eval(ctx, `return ARGV[1]`, op.Key, op.Want) })
}

func (l *lane) eval(ctx context.Context, script, key string, args ...string) (string, error) {
	reply, err := l.round.client.Eval(ctx, script, []string{key}, args...)
	if err != nil {
		return "", err
	}
	return reply.Text()
}

func (l *lane) getBound() int {
	op := l.bound(l.pick(), "get")
	return l.tell(op, func(ctx context.Context) (string, error) { return l.round.client.Get(ctx, op.Key) })
}

// getMany reads keys of several slots at once.
func (l *lane) getMany() int {
	var ops []ledger.Record
	for range 6 {
		ops = append(ops, l.bound(l.pick(), "mget over slots"))
	}
	return l.mget(ops)
}

// getTogether reads keys of one slot at once, which a migration may have torn apart.
func (l *lane) getTogether() int {
	at := l.pick()
	var ops []ledger.Record
	for _, i := range l.draw.Perm(at.values)[:min(8, at.values)] {
		ops = append(ops, l.boundAt(at, "mget in a slot", i))
	}
	return l.mget(ops)
}

func (l *lane) mget(ops []ledger.Record) int {
	keys := make([]string, len(ops))
	for i, op := range ops {
		keys[i] = op.Key
	}
	c := l.call()
	values, err := l.round.client.MGet(c.ctx, keys...)
	c.returned()
	var split *keyslot.PartsError
	switch {
	case errors.As(err, &split): // those that are not listed have succeeded, but their values are not told
		for _, part := range split.Parts() {
			c.record(ops[max(0, slices.Index(keys, part.Key))], part.Err)
		}
		return 1
	case err != nil:
		c.record(ops[0], err)
		return 1
	}
	if len(values) != len(ops) {
		ops[0].Got = fmt.Sprintf("%d values for %d keys", len(values), len(ops))
		c.record(ops[0], nil)
		return 1
	}
	for i, op := range ops {
		missing := error(nil)
		if !values[i].OK {
			missing = keyslot.Nil
		}
		op.Got = values[i].Value
		c.record(op, missing)
	}
	return 1
}

// forgery returns the record of an error that a script makes up. It looks like a redirect, but names another slot or is
// malformed: the client must pass it on as it is. One that named the right slot could not be told from a real one.
func (l *lane) forgery(at place, via string) ledger.Record {
	other := (at.slot + 1 + uint16(l.draw.IntN(slots-1))) % slots
	texts := []string{
		fmt.Sprintf("MOVED %d %s", other, forgedAddr),
		fmt.Sprintf("ASK %d %s", other, forgedAddr),
		fmt.Sprintf("MOVED %d %s:6379", other, forgedName),
		fmt.Sprintf("MOVED %d :0", other),
		fmt.Sprintf("ASK %d ?:6379", other),
		fmt.Sprintf("MOVED %d %s", slots+int(other), forgedAddr),
		fmt.Sprintf("MOVED 0%d %s", at.slot, forgedAddr),
		fmt.Sprintf("MOVED %d %s extra", at.slot, forgedAddr),
		fmt.Sprintf("ASK %d %s", at.slot, strings.TrimSuffix(forgedAddr, "6379")),
		fmt.Sprintf("MOVED -%d %s", at.slot, forgedAddr),
		"MOVED nowhere " + forgedAddr,
		"ASK of nobody",
	}
	return ledger.Record{
		ID: l.id(), Kind: ledger.Forged, Via: via, Slot: at.slot,
		Key: at.key("ledger", l.round.number), Want: texts[l.draw.IntN(len(texts))],
	}
}

const forger = `return {err=ARGV[1]}`

func (l *lane) forge() int {
	op := l.forgery(l.pick(), "eval")
	return l.tell(op, func(ctx context.Context) (string, error) { return l.eval(ctx, forger, op.Key, op.Want) })
}

// forgeInTransaction has the script fail within EXEC's reply, where even a redirect for the right slot is not one.
func (l *lane) forgeInTransaction() int {
	at := l.pick()
	op := l.forgery(at, "tx")
	if l.draw.IntN(2) == 0 {
		op.Want = fmt.Sprintf("MOVED %d %s", at.slot, forgedAddr)
	}
	tx := l.round.client.Tx()
	reply := tx.Eval(forger, []string{op.Key}, op.Want)
	c := l.call()
	_ = tx.Exec(c.ctx) // the future tells
	c.returned()
	_, err := reply.Get()
	c.record(op, err)
	return 1
}
