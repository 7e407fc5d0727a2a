package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Bare is what a plain connection without any client sees of a nemesis: it writes to one slot, as long as it runs, and
// dials the slot's primary again where its connection ends. What it was acknowledged and the servers then lost is their
// own loss, the measure for Figures.LostWrites.
type Bare struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	records []Record // owned by the goroutine, until it has ended
}

// bareInterval is the time between two writes.
const bareInterval = 2 * time.Millisecond

// StartBare starts to write to key in slot, at an interval of 2 ms.
func StartBare(cluster *realcluster.Cluster, key string, slot uint16) *Bare {
	ctx, stop := context.WithCancel(context.Background())
	b := &Bare{stop: stop}
	// Ends with Stop, which cancels ctx and waits.
	b.running.Go(func() {
		for ctx.Err() == nil {
			b.write(ctx, cluster, key, slot)
		}
	})
	return b
}

// Stop ends the writing and returns what was acknowledged or refused, as records for Round.Bare. A write without an
// answer is Unknown.
func (b *Bare) Stop() []Record {
	b.stop()
	b.running.Wait()
	return b.records
}

// write writes over one connection until it fails or ctx ends.
func (b *Bare) write(ctx context.Context, cluster *realcluster.Cluster, key string, slot uint16) {
	pace := time.NewTicker(bareInterval)
	defer pace.Stop()
	var conn *realcluster.Conn
	node, err := cluster.Primary(ctx, int(slot))
	if err == nil {
		conn, err = cluster.Dial(ctx, node)
	}
	if err == nil {
		defer conn.Close()
	}
	for err == nil && ctx.Err() == nil {
		op := Record{ID: fmt.Sprintf("bare%d", len(b.records)), Kind: Write, Via: "bare", Key: key, Slot: slot, Outcome: OK}
		_, err = conn.Do(ctx, "HINCRBY", key, op.ID, "1")
		if err != nil {
			op.Outcome, op.Err = Unknown, err.Error()
		}
		if errors.As(err, new(realcluster.ServerError)) {
			op.Outcome = NotExecuted
		}
		b.records = append(b.records, op)
		wait(ctx, pace.C)
	}
	wait(ctx, pace.C)
}

func wait(ctx context.Context, tick <-chan time.Time) {
	select {
	case <-ctx.Done():
	case <-tick:
	}
}
