package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot"
)

const (
	workers = 6 * primaries
	tags    = 240 // hash tags that the load is spread over, some 80 to a shard
)

// load runs commands at an even pace and remembers what came of each: half of them writes with an id of their own,
// which the servers count (HINCRBY), the others GET and SET. Each worker keeps to the slots of one shard of the cluster
// as it was made, so that those of the others go on when that shard is not served.
type load struct {
	client *keyslot.Client
	every  time.Duration // between two commands of a worker
	begun  time.Time
	stop   context.CancelFunc
	ended  sync.WaitGroup
	seen   [workers][]record     // each its worker's until ended
	last   [workers]atomic.Int64 // when a command of the worker last succeeded, since begun
	began  [workers]atomic.Int64 // when that command had begun
	failed atomic.Int64
	count  atomic.Int64
}

// shardOfWorker is the shard to whose slots a worker keeps.
func shardOfWorker(worker int) int { return worker % primaries }

// record is one command and its outcome.
type record struct {
	due    time.Time // it was to be sent then, and another one every load.every behind it, so many in all:
	owed   int
	start  time.Time
	took   time.Duration
	worker int
	tag    int
	id     string // of a counted write, else empty
	err    error
}

func (r *record) end() time.Time { return r.start.Add(r.took) }

// waits returns how long after its due time each of the commands was answered that this one stands for. Without those
// that were due and not sent, a stall of a second would count as one slow command among thousands.
func (r *record) waits(every time.Duration) []time.Duration {
	waits := make([]time.Duration, r.owed)
	for i := range waits {
		waits[i] = r.end().Sub(r.due) - time.Duration(i)*every
	}
	return waits
}

// startLoad runs rate commands a second on client until stop. A worker whose command takes long sends one for all that
// were due meanwhile, so the pace is what the cluster serves, not what it owes.
func startLoad(client *keyslot.Client, rate int) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{client: client, every: time.Second * workers / time.Duration(rate), begun: time.Now(), stop: stop}
	for w := range workers {
		own := tagsOf(func(slot int) bool { return shardOf(slot) == shardOfWorker(w) })
		// Ends with stop; end waits for it.
		l.ended.Go(func() {
			due := l.begun.Add(l.every * time.Duration(w) / workers)
			timer := time.NewTimer(time.Until(due))
			defer timer.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-timer.C:
				}
				owed := 1 + int(time.Since(due)/l.every)
				l.one(n, record{due: due, owed: owed, worker: w, tag: own[rand.IntN(len(own))]})
				due = due.Add(time.Duration(owed) * l.every)
				timer.Reset(time.Until(due))
			}
		})
	}
	return l
}

// one sends the n-th command of a worker, for the record.
func (l *load) one(n int, r record) {
	r.start = time.Now()
	ctx := context.Background()
	switch key := valueKey(r.tag); n % 4 {
	case 0:
		r.err = l.client.Set(ctx, key, "value")
	case 1:
		if _, r.err = l.client.Get(ctx, key); errors.Is(r.err, keyslot.Nil) {
			r.err = nil
		}
	default:
		r.id = strconv.Itoa(r.worker) + "-" + strconv.Itoa(n)
		_, r.err = l.client.HIncrBy(ctx, ledgerKey(r.tag), r.id, 1)
	}
	r.took = time.Since(r.start)
	l.count.Add(1)
	if r.err != nil {
		l.failed.Add(1)
	} else {
		l.began[r.worker].Store(int64(r.start.Sub(l.begun)))
		l.last[r.worker].Store(int64(r.end().Sub(l.begun)))
	}
	l.seen[r.worker] = append(l.seen[r.worker], r)
}

func valueKey(tag int) string  { return fmt.Sprintf("value:{%d}", tag) }
func ledgerKey(tag int) string { return fmt.Sprintf("ledger:{%d}", tag) }

// end stops the load and returns all commands, in the order in which they ended.
func (l *load) end() []record {
	l.stop()
	l.ended.Wait()
	all := slices.Concat(l.seen[:]...)
	slices.SortFunc(all, func(a, b record) int { return a.end().Compare(b.end()) })
	return all
}

// tagsOf returns the tags of slots that keep says.
func tagsOf(keep func(slot int) bool) (of []int) {
	for tag := range tags {
		if keep(int(keyslot.Slot(valueKey(tag)))) {
			of = append(of, tag)
		}
	}
	return of
}

// account compares what the load was told of its counted writes with what the servers have.
type account struct {
	doubled int      // ran more often than once
	untrue  int      // told "not executed", and there
	lost    []record // acknowledged, and not there
}

// settle asks the servers for the ledgers of all tags, and compares.
func settle(ctx context.Context, client *keyslot.Client, records []record) (a account, err error) {
	counted := make([]map[string]string, tags)
	for tag := range counted {
		if counted[tag], err = client.HGetAll(ctx, ledgerKey(tag)); err != nil {
			return a, err
		}
	}
	return compare(counted, records), nil
}

// compare is settle, of what the ledgers hold by tag and id.
func compare(counted []map[string]string, records []record) (a account) {
	for _, r := range records {
		if r.id == "" {
			continue
		}
		times := counted[r.tag][r.id]
		switch {
		case times != "" && times != "1":
			a.doubled++
		case times != "" && errors.Is(r.err, keyslot.ErrNotExecuted):
			a.untrue++
		case times == "" && r.err == nil:
			a.lost = append(a.lost, r)
		}
	}
	return a
}

// failures returns how many of the records that keep says failed, and the first error of them.
func failures(records []record, keep func(record) bool) (n int, first error) {
	for _, r := range records {
		if r.err != nil && keep(r) {
			if n++; first == nil {
				first = r.err
			}
		}
	}
	return n, first
}

// quantile returns the q-quantile of durations, 0 of none.
func quantile(durations []time.Duration, q float64) time.Duration {
	if len(durations) == 0 {
		return 0
	}
	slices.Sort(durations)
	return durations[min(len(durations)-1, int(q*float64(len(durations))))]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
