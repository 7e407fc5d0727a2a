package worker

import (
	"context"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// largeSize is more than the 256 KiB from which a request or a reply takes a connection of its own, beside the shared one.
const largeSize = 300 << 10

// writeBeside writes once; ARGV[3] is ballast.
const writeBeside = `return redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])`

func (l *lane) largeWrite() int {
	op := l.write(l.pick(), "ledger", "large eval")
	ballast := strings.Repeat("x", largeSize)
	return l.tell(op, func(ctx context.Context) (string, error) {
		return l.eval(ctx, writeBeside, op.Key, op.ID, op.Want, ballast)
	})
}

// repeat makes a large reply of a small request.
const repeat = `return string.rep(ARGV[1], ARGV[2])`

// largeEcho gets its nonce very often.
func (l *lane) largeEcho() int {
	at := l.pick()
	id := l.id() + " "
	op := ledger.Record{ID: id, Kind: ledger.Echo, Via: "large eval", Key: at.key("ledger", l.round.number), Slot: at.slot, Want: id}
	times := largeSize / len(id)
	return l.tell(op, func(ctx context.Context) (string, error) {
		reply, err := l.eval(ctx, repeat, op.Key, id, strconv.Itoa(times))
		if reply == strings.Repeat(id, times) {
			return id, err
		}
		return reply[:min(len(reply), 2*len(id))], err
	})
}
