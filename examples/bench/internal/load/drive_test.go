package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// scripted is a client whose operations do what the test says.
type scripted struct {
	do    func(call int) error
	calls atomic.Int64
}

func (c *scripted) Get(context.Context, string) (int, error)        { return 1, c.do(int(c.calls.Add(1))) }
func (c *scripted) Set(context.Context, string, string) error       { return c.do(int(c.calls.Add(1))) }
func (c *scripted) MGet(context.Context, []string) (int, error)     { panic("not used") }
func (c *scripted) MSet(context.Context, []string, string) error    { panic("not used") }
func (c *scripted) GetEach(context.Context, []string) (int, error)  { panic("not used") }
func (c *scripted) SetEach(context.Context, []string, string) error { panic("not used") }
func (c *scripted) Close()                                          {}

var errBroken = errors.New("broken")

// told is what a run has told.
type told struct {
	windows []record.Window
	phases  []record.Phase
	events  []record.Event
	result  Result
}

// drive runs one worker's load, whose operations take as long as do does.
func drive(spec Spec, orders <-chan Order, do func(call int) error) told {
	var all told
	spec.Prefix, spec.Keys, spec.Values, spec.Dist = "t:", 10, []int{1}, Uniform
	spec.Workers = max(spec.Workers, 1)
	r := newRun(spec, func(m Message) {
		switch {
		case m.Window != nil:
			all.windows = append(all.windows, *m.Window)
		case m.Phase != nil:
			all.phases = append(all.phases, *m.Phase)
		case m.Event != nil:
			all.events = append(all.events, *m.Event)
		case m.Result != nil:
			all.result = *m.Result
		}
	})
	r.client = &scripted{do: do}
	r.drive(orders)
	return all
}

// Ten operations are due 10 ms apart. The first one takes 35 ms, which holds up the next three; the others take no time.
func TestALateReplyDoesNotHideThoseThatItHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := Spec{Rate: 100, Reads: 1, Duration: 100 * time.Millisecond, Window: time.Second}
		all := drive(spec, nil, func(call int) error {
			if call == 1 {
				time.Sleep(35 * time.Millisecond)
			}
			return nil
		})
		require.EqualValues(t, 10, all.result.Reads.Count)
		require.InEpsilon(t, 35_000, all.result.Reads.Max, 0.001)
		require.InEpsilon(t, 25_000, all.result.Reads.P90, 0.001, "it was due 10 ms after the first, and waited for it")
		require.LessOrEqual(t, all.result.Reads.P50, 1.0)
	})
}

func TestOperationsThatNeverEndOrNeverBeginAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		spec := Spec{Rate: 100, Reads: 1, Duration: time.Second, Window: time.Second}
		all := drive(spec, nil, func(int) error {
			<-release
			return nil
		})
		require.Equal(t, []record.Error{
			{Text: "due, but never sent: the client was too far behind", Count: 99},
			{Text: "no answer when the run was over", Count: 1},
		}, all.result.Errors)
		require.EqualValues(t, 100, all.windows[0].Errors)
		require.Equal(t, 1.0, all.result.Duration, "waiting for them is not measured")
	})
}

// A client that is too slow does in the measured time what it can, and no more of it afterwards, when nobody counts its CPU.
func TestNothingIsSentAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, last := time.Now(), time.Duration(0)
		spec := Spec{Rate: 100, Reads: 1, Duration: time.Second, Window: time.Second}
		all := drive(spec, nil, func(int) error {
			last = time.Since(began)
			time.Sleep(45 * time.Millisecond)
			return nil
		})
		require.Less(t, last, spec.Duration)
		require.EqualValues(t, 23, all.result.Reads.Count, "one each 45 ms")
		require.Equal(t, []record.Error{{Text: "due, but never sent: the client was too far behind", Count: 77}}, all.result.Errors)
	})
}

// The end comes while many workers are busy, and each of them asks for more after it.
func TestWhatWasHandedOutIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := Spec{Rate: 100, Reads: 1, Duration: time.Second, Window: time.Second, Workers: 64}
		all := drive(spec, nil, func(int) error {
			time.Sleep(900 * time.Millisecond)
			return nil
		})
		require.EqualValues(t, 74, all.result.Reads.Count, "64, and 10 of those that are free again after 0.9 s")
		require.Equal(t, []record.Error{{Text: "due, but never sent: the client was too far behind", Count: 26}}, all.result.Errors)
	})
}

func TestWhatFailedHasCostSomethingToo(t *testing.T) {
	used := usage{cpu: 8 * time.Millisecond, allocs: 16, bytes: 32}
	require.Equal(t, record.Usage{CPUPerOp: 2000, AllocsPerOp: 4, BytesPerOp: 8}, used.by(4))
	require.Zero(t, used.by(0))

	synctest.Test(t, func(t *testing.T) {
		all := drive(Spec{Duration: time.Second, Window: time.Second}, nil, func(int) (err error) {
			time.Sleep(10 * time.Millisecond)
			for range 100 {
				err = errors.Join(errBroken)
			}
			return err
		})
		require.InDelta(t, 100, all.windows[0].Errors, 1)
		require.Positive(t, all.result.Usage.AllocsPerOp)
		require.Less(t, all.result.Usage.AllocsPerOp, 2000.0, "all operations together have more than 10,000")
	})
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		all := drive(Spec{Rate: 100, Duration: time.Second, Window: time.Second}, nil, func(int) error {
			<-release
			return nil
		})
		require.Zero(t, all.result.Usage.AllocsPerOp, "none has ended")
	})
}

func TestWindowsAreOfOneLengthButForTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := Spec{Duration: time.Second, WarmUp: 300 * time.Millisecond, Window: 400 * time.Millisecond}
		all := drive(spec, nil, func(int) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		})
		require.Len(t, all.windows, 3)
		for i, want := range []struct {
			at, seconds float64
			writes      int
		}{{0, 0.4, 40}, {0.4, 0.4, 40}, {0.8, 0.2, 20}} {
			require.InDelta(t, want.at, all.windows[i].At, 1e-9)
			require.InDelta(t, want.seconds, all.windows[i].Seconds, 1e-9)
			require.InDelta(t, want.writes, all.windows[i].Writes.Count, 1)
			require.Zero(t, all.windows[i].Reads.Count)
		}
		require.EqualValues(t, 100, all.result.Writes.Count, "and nothing of the warm-up")
	})
}

func TestPhasesBeginWhenTheyAreOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		orders := make(chan Order)
		go func() { // ends with its second order
			time.Sleep(300 * time.Millisecond)
			all := []record.ShardSlots{{Shard: "shard 1", Ranges: [][2]uint16{{0, 16383}}}}
			orders <- Order{Owners: &record.Ownership{Shards: all}}
			orders <- Order{Phase: "scale-out"}
		}()
		all := drive(Spec{Duration: time.Second, Window: time.Second}, orders, func(call int) error {
			time.Sleep(10 * time.Millisecond)
			if call > 90 {
				return errBroken
			}
			return nil
		})
		require.Len(t, all.phases, 2)
		require.Equal(t, "before", all.phases[0].Name)
		require.InDelta(t, 30, all.phases[0].Writes.Count, 1)
		require.Equal(t, "scale-out", all.phases[1].Name)
		require.InDelta(t, 0.3, all.phases[1].At, 1e-9)
		require.InDelta(t, 60, all.phases[1].Writes.Count, 1)
		require.InDelta(t, 10, all.phases[1].Errors, 1)
		require.Equal(t, "broken", all.events[0].Text[:6])
		require.Equal(t, "shard 1", all.windows[0].Shards[0].Shard)
		require.InDelta(t, 60, all.windows[0].Shards[0].Ops, 1, "since its owner is known")
	})
}

func TestOrdersThatEndEndTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		orders := make(chan Order)
		time.AfterFunc(250*time.Millisecond, func() { close(orders) })
		all := drive(Spec{Duration: time.Hour, Window: 100 * time.Millisecond, Rate: 1000}, orders, func(int) error { return nil })
		require.InDelta(t, 0.25, all.result.Duration, 1e-9)
		require.Len(t, all.windows, 3)
		require.InDelta(t, 250, all.result.Writes.Count, 1)
	})
}

func TestTheRampGrowsEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := newPacer(Spec{Rate: 100, Ramp: 2 * time.Second, Duration: time.Hour}, time.Now())
		require.Equal(t, time.Second, open.due(25), "a quarter of those in the ramp are due in its first half")
		require.Equal(t, 2*time.Second, open.due(100))
		require.InDelta(t, 2010*time.Millisecond, open.due(101), float64(time.Microsecond))

		closed := newPacer(Spec{Workers: 4, Ramp: 2 * time.Second, Duration: time.Hour}, time.Now())
		require.True(t, closed.join(3, time.NewTimer(0)))
		require.Equal(t, 1500*time.Millisecond, closed.now())
	})
}
