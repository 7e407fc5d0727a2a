package worker_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/chaos/worker"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// driver gives orders to a worker within the test's own process.
type driver struct {
	t       *testing.T
	cluster *realcluster.Cluster
	orders  *json.Encoder
	answers *json.Decoder
}

func drive(t *testing.T, opts realcluster.Options) *driver {
	cluster := realcluster.Start(t, opts) // first, so that it ends behind the worker
	ordered, orders := io.Pipe()
	answers, answered := io.Pipe()
	ended := make(chan error, 1)
	// Ends with the orders, which the test closes and waits.
	go func() { ended <- worker.Main(context.Background(), ordered, answered) }()
	t.Cleanup(func() {
		require.NoError(t, orders.Close())
		require.NoError(t, <-ended)
	})
	return &driver{t, cluster, json.NewEncoder(orders), json.NewDecoder(answers)}
}

func (d *driver) try(order worker.Order) (answer worker.Answer) {
	require.NoError(d.t, d.orders.Encode(order))
	require.NoError(d.t, d.answers.Decode(&answer))
	require.Equal(d.t, order.Do, answer.Did)
	return answer
}

func (d *driver) order(order worker.Order) worker.Answer {
	answer := d.try(order)
	require.Empty(d.t, answer.Error)
	return answer
}

func (d *driver) open() worker.Answer {
	return d.order(worker.Order{Do: worker.Open, Options: &worker.Options{
		Dir: d.t.TempDir(), Seed: 7, Endpoints: d.cluster.Addrs()[:1],
	}})
}

// until waits until the load has run so long.
func (d *driver) until(at time.Duration) {
	require.Eventually(d.t, func() bool { return d.order(worker.Order{Do: worker.Mark}).At >= at }, 20*time.Second, 20*time.Millisecond)
}

// check ends the round and compares it with what the servers hold.
func (d *driver) check(round ledger.Round) (ledger.Figures, worker.Answer, []ledger.Record) {
	ctx, cancel := context.WithTimeout(d.t.Context(), 60*time.Second)
	defer cancel()
	end := d.order(worker.Order{Do: worker.End})
	require.Empty(d.t, end.Violations)
	var err error
	round.Records, err = ledger.ReadFile(end.File)
	require.NoError(d.t, err)
	round.Held, err = ledger.Read(ctx, d.cluster, round.Records)
	require.NoError(d.t, err)
	round.Signs, round.Beats, round.Lanes = end.Signs, end.Beats, end.Lanes
	require.Greater(d.t, len(end.Beats), 5)
	figures, found := round.Check()
	require.Empty(d.t, found)
	return figures, end, round.Records
}

func TestTheLoadOnACalmCluster(t *testing.T) {
	realcluster.ForEach(t, func(t *testing.T, engine realcluster.Engine) {
		d := drive(t, realcluster.Options{Engine: engine.Name})
		before := d.open()
		begun := d.order(worker.Order{Do: worker.Begin, Round: 1})
		d.until(500 * time.Millisecond)
		d.until(2500 * time.Millisecond)
		figures, end, records := d.check(ledger.Round{
			Terms: ledger.Terms{Seamless: true, Expects: []string{"unknown", "not executed"}}, Healed: 500 * time.Millisecond,
		})
		require.Greater(t, figures.Operations, 2000)
		require.Len(t, figures.FirstSuccess, begun.Lanes)
		require.Greater(t, figures.Ran, 500)
		require.GreaterOrEqual(t, figures.Keys, 3)
		require.Zero(t, figures.Undecided)
		require.Greater(t, len(figures.Overruns), 50)
		var kinds []string
		adds := map[string]string{}
		for _, op := range records {
			if op.Kind == ledger.Write {
				one := cmp.Or(op.Group, op.ID)
				require.Equal(t, one, cmp.Or(adds[op.Want], one), "two writes that are told the same may change replies")
				adds[op.Want] = one
			}
			if op.Outcome == ledger.OK || op.Kind == ledger.Forged {
				kinds = append(kinds, fmt.Sprint(op.Kind, " ", op.Via))
			}
		}
		slices.Sort(kinds)
		require.Equal(t, []string{
			"echo echo", "echo eval echo", "echo get", "echo large eval", "echo mget in a slot", "echo mget over slots", "echo ordered pipeline", "echo pipeline",
			"forged eval", "forged tx", "pop blpop", "push ordered pipeline", "push pipeline", "push rpush",
			"register cas", "register get", "register set",
			"write eval", "write large eval", "write ordered pipeline", "write pipeline", "write plain", "write tx", "write watch",
		}, slices.Compact(kinds))
		t.Logf("%d operations, %v, signs %v, %+v", figures.Operations, figures.Outcomes, end.Signs, *end.Resources)

		after := d.order(worker.Order{Do: worker.Close})
		require.Empty(t, ledger.CheckClosed(*before.Resources, *after.Resources))
	})
}

func TestTheLoadWhileSlotsMove(t *testing.T) {
	d := drive(t, realcluster.Options{})
	d.open()
	d.order(worker.Order{Do: worker.Begin, Round: 2, Mode: worker.Mode{Focus: []ledger.SlotRange{{First: 0, Last: 63}}}})
	d.until(300 * time.Millisecond)
	require.NoError(t, d.cluster.Reshard(t.Context(), d.cluster.Node(0), d.cluster.Node(2), 64))
	healed := d.order(worker.Order{Do: worker.Mark}).At
	d.until(healed + 500*time.Millisecond)
	figures, end, _ := d.check(ledger.Round{
		Terms: ledger.Terms{Seamless: true, Expects: []string{"MOVED"}}, Healed: healed,
	})
	t.Logf("%d operations, %v, signs %v", figures.Operations, figures.Outcomes, end.Signs)
}

// loseReplies has a node run what arrives within 60 ms, and end its connections before it answers: it reads all
// requests that have come before it writes any reply.
func (d *driver) loseReplies(node *realcluster.Node, at time.Duration) {
	killer, err := d.cluster.Dial(d.t.Context(), node)
	require.NoError(d.t, err)
	defer killer.Close()
	var sleeping sync.WaitGroup
	defer sleeping.Wait()
	// Ends with the sleep, or with its connection.
	sleeping.Go(func() { _, _ = d.cluster.Do(d.t.Context(), node, "DEBUG", "SLEEP", "0.06") })
	d.until(at + 30*time.Millisecond)
	_, err = killer.Do(d.t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	require.NoError(d.t, err)
}

func TestTheLoadWhileRepliesAreLost(t *testing.T) {
	d := drive(t, realcluster.Options{})
	d.open()
	d.order(worker.Order{Do: worker.Begin, Round: 4})
	for n := range 10 {
		at := time.Duration(n) * 150 * time.Millisecond
		d.until(at)
		d.loseReplies(d.cluster.Node(n%3), at)
	}
	healed := d.order(worker.Order{Do: worker.Mark}).At
	d.until(healed + 500*time.Millisecond)
	figures, end, _ := d.check(ledger.Round{Terms: ledger.Terms{Expects: []string{ledger.Broken, "lost"}}, Healed: healed})
	require.Positive(t, figures.RanUnknown)
	t.Logf("%d operations, %v, signs %v, %d unknown ones ran", figures.Operations, figures.Outcomes, end.Signs, figures.RanUnknown)
}

// A storm of cancelled calls harms nobody and costs no connection.
func TestTheLoadInACancelStorm(t *testing.T) {
	d := drive(t, realcluster.Options{})
	d.open()
	d.order(worker.Order{Do: worker.Begin, Round: 3, Mode: worker.Mode{CancelStorm: true}})
	d.until(2 * time.Second)
	figures, end, _ := d.check(ledger.Round{Terms: ledger.Terms{Seamless: true, Expects: []string{"unknown", "not executed"}}})
	require.Less(t, end.Signs["dials"], 20)
	p999, _ := ledger.CheckOverruns(figures.Overruns) // whose limit of 5 ms is too little for the machine of a test
	require.Greater(t, len(figures.Overruns), 10)
	require.Less(t, p999, 500*time.Millisecond)
	t.Logf("%d operations, %v, signs %v, overrun %v of %d", figures.Operations, figures.Outcomes, end.Signs, p999, len(figures.Overruns))
}

func TestOrdersOutOfTurn(t *testing.T) {
	d := drive(t, realcluster.Options{})
	for _, do := range []string{worker.Begin, worker.Mark, worker.End, worker.Close, worker.SetLogin, worker.Open, "dance"} {
		require.Equal(t, "this order is out of turn", d.try(worker.Order{Do: do}).Error)
	}
	d.open()
	d.order(worker.Order{Do: worker.Begin, Round: 1})
	for _, do := range []string{worker.Begin, worker.Close, worker.Open} {
		require.Equal(t, "this order is out of turn", d.try(worker.Order{Do: do}).Error)
	}
}

// A lane that was frozen for a minute goes on at its pace.
func TestALaneDoesNotCatchUp(t *testing.T) {
	for heldUp, atOnce := range map[time.Duration]int{time.Minute: 1, 15 * time.Millisecond: 10, 0: 0} {
		none := 0
		for _, pause := range worker.PausesAfter(heldUp, 5*time.Millisecond, 20) {
			if pause == 0 {
				none++
			}
		}
		require.LessOrEqual(t, none, atOnce, heldUp)
		require.Equal(t, atOnce > 0, none > 0, heldUp)
	}
}

func TestOutcomes(t *testing.T) {
	trail := func(o keyslot.Outcome) error {
		return fmt.Errorf("%w", &keyslot.Error{Outcome: o, Err: context.Canceled})
	}
	for want, err := range map[ledger.Outcome]error{
		ledger.OK: nil, ledger.Nil: keyslot.Nil, ledger.Answered: trail(keyslot.Answered),
		ledger.NotExecuted: trail(keyslot.NotExecuted), ledger.Unknown: trail(keyslot.Unknown),
		ledger.Both: errors.Join(keyslot.ErrNotExecuted, keyslot.ErrUnknownOutcome),
	} {
		require.Equal(t, want, worker.Outcome(err))
	}
	require.Equal(t, ledger.Answered, worker.Outcome(&command.TypeError{}))
}

// A client that follows what a script made up is caught before a byte leaves the machine.
func TestForgedRedirectsAreNotDialled(t *testing.T) {
	g := worker.NewGuard("")
	_, err := g.Dial(t.Context(), "tcp", "192.0.2.7:6379")
	require.Error(t, err)
	_, err = g.LookupNetIP(t.Context(), "ip", "forged.invalid")
	require.Error(t, err)
	signs, violations := g.Told()
	require.Empty(t, signs)
	require.Equal(t, []string{
		"the client dialled 192.0.2.7:6379, which only a forged redirect names",
		"the client looked up forged.invalid, which only a forged redirect names",
	}, violations)
}
