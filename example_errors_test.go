package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// The examples of docs/errors.md, which quotes a part of each.

// troubled returns a client of a cluster in which the node that owns key does what fault says; stop ends both.
func troubled(key string, fault keyslottest.Fault) (client *keyslot.Client, stop func()) {
	cluster := startCluster()
	client, err := keyslot.Open(ctx, cluster.Endpoint())
	if err != nil {
		log.Fatal(err)
	}
	heal, err := cluster.Inject(cluster.Owner(key).ID, fault)
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		heal()
		client.Close()
		cluster.Close()
	}
}

func Example_missing() {
	client, stop := connected()
	defer stop()

	name, err := client.Get(ctx, "user:1")
	switch {
	case errors.Is(err, keyslot.Nil):
		fmt.Println("there is no such user")
	case err != nil:
		fmt.Println("cannot tell:", err)
	default:
		fmt.Println(name)
	}
	// Output: there is no such user
}

func Example_deadline() {
	client, stop := troubled("user:1", keyslottest.Fault{Command: "GET", Stall: true})
	defer stop()

	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond) // for all attempts together
	defer cancel()
	_, err := client.Get(ctx, "user:1")
	switch {
	case errors.Is(err, context.DeadlineExceeded): // of CommandTimeout too, where ctx has no deadline
		fmt.Println("too slow, try again")
	case errors.Is(err, context.Canceled):
		fmt.Println("nobody waits for this any more")
	}
	// Output: too slow, try again
}

// Nothing has changed: the server refuses the command before it runs it, or the client never sent it whole.
func Example_notExecuted() {
	client, stop := troubled("user:1", keyslottest.Fault{Command: "SET", Error: "CLUSTERDOWN The cluster is down"})
	defer stop()
	client = client.Timeout(50 * time.Millisecond)

	err := client.Set(ctx, "user:1", "ann")
	switch {
	case errors.Is(err, keyslot.ErrRetryable): // 503
		fmt.Println("try again later")
	case errors.Is(err, keyslot.ErrNotExecuted): // 500
		fmt.Println("nothing was changed, and trying again would not help")
	}
	// Output: try again later
}

// The connection breaks after the command was sent and before its reply came.
func Example_unknownOutcome() {
	client, stop := troubled("visits", keyslottest.Fault{Command: "INCR", Reset: true, Times: 1})
	defer stop()

	_, err := client.Incr(ctx, "visits")
	if errors.Is(err, keyslot.ErrUnknownOutcome) {
		visits, err := client.Get(ctx, "visits") // a sign that it ran is proof, no sign is none: it may run yet
		fmt.Println("counted or not?", visits, err)
	}
	// Output: counted or not? 1 <nil>
}

func ExampleClient_Idempotent() {
	client, stop := troubled("user:1", keyslottest.Fault{Command: "SET", Reset: true, Times: 1})
	defer stop()

	again := client.Idempotent() // a view, made once
	err := again.Set(ctx, "user:1", "ann")
	fmt.Println(err)
	// Output: <nil>
}

// Whose the lock is can be told by the token in it.
func Example_token() {
	client, stop := troubled("lock", keyslottest.Fault{Command: "SET", Reset: true, Times: 1})
	defer stop()

	token := "worker 7, 12:00:01" // of this try and no other
	locked, err := client.SetNX(ctx, "lock", token, command.PX(time.Minute))
	if errors.Is(err, keyslot.ErrUnknownOutcome) {
		var holder string
		holder, err = client.Get(ctx, "lock")
		locked = holder == token
	}
	fmt.Println(locked, err)
	// Output: true <nil>
}

// A script notes with each change which operation made it, so it may be sent as often as it takes.
func Example_operation() {
	client, stop := troubled("{ann}", keyslottest.Fault{Command: "EVAL", Reset: true, Times: 1})
	defer stop()

	deposit := keyslot.NewScript(`
		if redis.call('SET', KEYS[2], 1, 'NX', 'EX', 86400) then
			redis.call('INCRBY', KEYS[1], ARGV[1])
		end
		return redis.call('GET', KEYS[1])`)

	operation := "{ann}:operation:b81f" // named by whoever asks for it, in the slot of the account
	balance, err := deposit.Run(ctx, client.Idempotent(), []string{"{ann}:account", operation}, 50)
	fmt.Println(balance, err)
	// Output: 50 <nil>
}

// A script that refuses says so in a value.
func ExampleScript_refuses() {
	client, stop := connected()
	defer stop()

	sell := keyslot.NewScript(`
		if tonumber(redis.call('GET', KEYS[1]) or 0) < 1 then
			return 'sold out' -- redis.error_reply would be of unknown outcome
		end
		redis.call('DECR', KEYS[1])
		return 'sold'`)

	answer, err := sell.Run(ctx, client, []string{"seats"})
	switch {
	case err != nil:
		fmt.Println("not sold, or nobody knows:", err)
	case answer.String() == "sold out":
		fmt.Println("none left")
	}
	// Output: none left
}

// Where it raises an error instead, its code is looked for first.
func ExampleServerError_script() {
	client, stop := connected()
	defer stop()

	soldOut := keyslot.NewScript(`return redis.error_reply('SOLDOUT none left')`)
	_, err := soldOut.Run(ctx, client, []string{"seats"})
	var said keyslot.ServerError
	switch {
	case errors.As(err, &said) && said.Code() == "SOLDOUT": // raised before anything was written
		fmt.Println("none left")
	case errors.Is(err, keyslot.ErrUnknownOutcome):
		fmt.Println("sold or not?", err)
	}
	// Output: none left
}

// One command of a pipeline is refused, and the others do not mind.
func ExamplePipelineError() {
	client, stop := troubled("user:3", keyslottest.Fault{Command: "INCR", Error: "OOM command not allowed when used memory > 'maxmemory'."})
	defer stop()

	users := []string{"user:1", "user:2", "user:3"}
	p := client.Pipeline()
	for _, user := range users {
		p.Incr(user)
	}
	err := p.Exec(ctx)
	var failed *keyslot.PipelineError
	if errors.As(err, &failed) {
		for _, part := range failed.Parts() {
			fmt.Println(users[part.Index], "not counted:", errors.Is(part.Err, keyslot.ErrNotExecuted))
		}
	}
	// Output: user:3 not counted: true
}

// A command over several slots is not atomic: a PartsError lists what failed of it.
func ExamplePartsError() {
	client, stop := troubled("user:1", keyslottest.Fault{Command: "MSET", Error: "MISCONF disk full"})
	defer stop()

	err := client.MSet(ctx, command.Pair{Key: "user:1", Value: "ann"}, command.Pair{Key: "user:3", Value: "bob"})
	var failed *keyslot.PartsError
	if errors.As(err, &failed) {
		for _, part := range failed.Parts() {
			fmt.Println(part.Key, "not set:", errors.Is(part.Err, keyslot.ErrNotExecuted))
		}
	}
	// Output: user:1 not set: true
}

// Somebody else was faster, so nothing has run: read again.
func Example_aborted() {
	client, stop := connected()
	defer stop()
	_ = client.Set(ctx, "seats", "2")

	take := func(w *keyslot.Watched) error {
		seats, err := w.Get(ctx, "seats")
		if err != nil {
			return err
		}
		left, err := strconv.Atoi(seats)
		if err != nil {
			return err
		}
		tx := w.Tx()
		tx.Set("seats", strconv.Itoa(left-1))
		return tx.Exec(ctx)
	}
	err := client.Watch(ctx, []string{"seats"}, take)
	for errors.Is(err, keyslot.ErrTxAborted) && ctx.Err() == nil {
		err = client.Watch(ctx, []string{"seats"}, take)
	}
	fmt.Println(err)
	// Output: <nil>
}

func ExampleServerError() {
	client, stop := connected()
	defer stop()
	_ = client.Set(ctx, "user:1", "ann")

	_, err := client.Incr(ctx, "user:1")
	var said keyslot.ServerError
	ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	if !ended && errors.As(err, &said) { // else it was the last of several answers
		switch said.Code() {
		case "WRONGTYPE", "ERR":
			fmt.Println("a fault of this program:", said)
		case "NOPERM":
			fmt.Println("a fault of the configuration:", said)
		case "OOM", "MISCONF":
			fmt.Println("a fault of the cluster:", said)
		}
	}
	// Output: a fault of this program: ERR value is not an integer or out of range
}

// The password has changed: new connections are refused, and commands wait for one.
func Example_refusedLogin() {
	client, stop := troubled("user:1", keyslottest.Fault{Command: "HELLO", Error: "WRONGPASS invalid username-password pair or user is disabled."})
	defer stop()

	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	err := client.Set(ctx, "user:1", "ann")
	var said keyslot.ServerError
	if errors.As(err, &said) {
		switch said.Code() {
		case "WRONGPASS", "NOAUTH":
			fmt.Println("the client cannot log in:", said)
		}
	}
	fmt.Println(errors.Is(err, keyslot.ErrNotExecuted), errors.Is(err, keyslot.ErrRetryable))
	// Output:
	// the client cannot log in: WRONGPASS invalid username-password pair or user is disabled.
	// true true
}

func ExampleError() {
	client, stop := troubled("user:1", keyslottest.Fault{Command: "INCR", Error: "NOPERM this user has no permissions"})
	defer stop()
	plain := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { // the same wherever this runs
		switch a.Key {
		case slog.TimeKey:
			return slog.Attr{}
		case "node":
			return slog.String(a.Key, "10.0.0.1:6379")
		}
		return a
	}}
	logger := slog.New(slog.NewTextHandler(os.Stdout, plain))

	_, err := client.Incr(ctx, "user:1")
	var trail *keyslot.Error
	if errors.As(err, &trail) {
		logger.Warn("visit not counted", "command", trail.Command, "slot", trail.Slot, "node", trail.Node,
			"attempts", trail.Attempts, "redirects", trail.Redirects, "outcome", trail.Outcome, "cause", trail.Err)
	}
	// Output: level=WARN msg="visit not counted" command=INCR slot=10778 node=10.0.0.1:6379 attempts=1 redirects=0 outcome="not executed" cause="NOPERM this user has no permissions"
}

func Example_closing() {
	client, stop := connected()
	defer stop()

	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := client.Shutdown(ctx); err != nil {
		fmt.Println("commands were cut off:", err)
	}
	_, err := client.Get(ctx, "user:1")
	fmt.Println(errors.Is(err, keyslot.ErrClosed), errors.Is(err, keyslot.ErrNotExecuted))
	// Output: true true
}
