package nemesis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Bare is the baseline of a nemesis that loses acknowledged writes: one plain connection to the struck node writes one number
// after the other, and what it loses no client could have kept.
type Bare struct {
	Acked int // writes acknowledged to the bare connection
	Lost  int // of those, what the shard does not hold once it has healed

	key   string
	acked chan int // from the writer, once
}

// begin starts the writer, which ends with its connection or with ctx: a struck node sees to the former.
func (b *Bare) begin(ctx context.Context, s *Stage, struck *realcluster.Node, owned []ledger.SlotRange) error {
	conn, err := s.Cluster.Dial(ctx, struck)
	if err != nil {
		return err
	}
	b.key, b.acked = keyIn(owned), make(chan int, 1)
	key, acked := b.key, b.acked
	// Ends when a write fails; Settle takes what it leaves.
	go func() {
		defer conn.Close()
		n := 0
		for wait(ctx, barePause) == nil {
			if _, err := conn.Do(ctx, "RPUSH", key, strconv.Itoa(n+1)); err != nil {
				break
			}
			n++
		}
		acked <- n
	}()
	return nil
}

// barePause keeps the baseline from being a load of its own.
const barePause = time.Millisecond

// keyIn returns a key in one of the slots.
func keyIn(owned []ledger.SlotRange) string {
	for i := 0; ; i++ {
		key := "bare:" + strconv.Itoa(i)
		for _, r := range owned {
			if r.Contains(keyslot.Slot(key)) {
				return key
			}
		}
	}
}

// Settle counts what is left of the writes, once the cluster is healthy. It blocks until the writer has ended, or ctx ends.
func (b *Bare) Settle(ctx context.Context, cluster *realcluster.Cluster) error {
	if b.acked == nil {
		return nil // this nemesis loses nothing
	}
	select {
	case b.Acked = <-b.acked:
	case <-ctx.Done():
		return fmt.Errorf("the bare connection still writes: %w", ctx.Err())
	}
	owner, err := cluster.Primary(ctx, int(keyslot.Slot(b.key)))
	if err != nil {
		return err
	}
	left, err := cluster.Do(ctx, owner, "LRANGE", b.key, "0", "-1")
	if err != nil && !errors.Is(err, realcluster.ErrNil) {
		return err
	}
	kept := map[string]bool{}
	for n := range strings.SplitSeq(left, "\n") {
		kept[n] = true
	}
	for n := range b.Acked {
		if !kept[strconv.Itoa(n+1)] {
			b.Lost++
		}
	}
	return nil
}
