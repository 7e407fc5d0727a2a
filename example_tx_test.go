package keyslot_test

import (
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

func ExampleClient_Tx() {
	client, stop := connected()
	defer stop()

	tx := client.Tx() // its keys have a common hash tag, so that one node has them all
	first := tx.SetNX("{order:7}:paid", "yes")
	total := tx.Incr("{order:7}:payments")
	if err := tx.Exec(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Get())
	fmt.Println(total.Get())
	// Output:
	// true <nil>
	// 1 <nil>
}

func ExampleTx_Do() {
	client, stop := connected()
	defer stop()

	tx := client.Tx()
	from, to := tx.Do("DECRBY", "{bank}ann", 5), tx.Do("INCRBY", "{bank}bob", 5)
	fmt.Println(tx.Exec(ctx))
	fmt.Println(from.Get())
	fmt.Println(to.Get())
	// Output:
	// <nil>
	// -5 <nil>
	// 5 <nil>
}

// Keys of several slots cannot be in one transaction, and nothing is sent.
func ExampleTx_Exec() {
	client, stop := connected()
	defer stop()

	tx := client.Tx()
	tx.Incr("ann")
	tx.Incr("bob")
	err := tx.Exec(ctx)
	fmt.Println(errors.Is(err, keyslot.ErrNotExecuted))
	var argument *keyslot.ArgumentError
	if errors.As(err, &argument) {
		fmt.Println(argument)
	}
	// Output:
	// true
	// argument 1: its key is in slot 8955 and the transaction in slot 2326: give the keys a common hash tag, like {user:1}:name
}

// Whoever checks before writing begins anew when somebody else was faster.
func ExampleClient_Watch() {
	client, stop := connected()
	defer stop()
	if err := client.Set(ctx, "seats", "2"); err != nil {
		log.Fatal(err)
	}

	errSoldOut := errors.New("sold out")
	reserve := func(w *keyslot.Watched) error {
		text, err := w.Get(ctx, "seats")
		if err != nil {
			return err
		}
		left, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if left == 0 {
			return errSoldOut // ends the watch, and nothing has changed
		}
		tx := w.Tx()
		tx.Set("seats", strconv.Itoa(left-1), command.EX(time.Hour))
		return tx.Exec(ctx)
	}
	for range 3 {
		err := client.Watch(ctx, []string{"seats"}, reserve)
		for errors.Is(err, keyslot.ErrTxAborted) {
			err = client.Watch(ctx, []string{"seats"}, reserve)
		}
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// sold out
}

func ExampleWatched_Tx() {
	client, stop := connected()
	defer stop()

	err := client.Watch(ctx, []string{"key"}, func(w *keyslot.Watched) error {
		if _, err := client.Incr(ctx, "key"); err != nil { // somebody else, in between
			return err
		}
		tx := w.Tx()
		tx.Set("key", "mine")
		return tx.Exec(ctx)
	})
	fmt.Println(errors.Is(err, keyslot.ErrTxAborted))
	fmt.Println(client.Get(ctx, "key"))
	// Output:
	// true
	// 1 <nil>
}

func ExampleWatched_Do() {
	client, stop := connected()
	defer stop()

	err := client.Watch(ctx, []string{"{user:1}:name"}, func(w *keyslot.Watched) error {
		n, err := w.Do(ctx, "EXISTS", "{user:1}:name", "{user:1}:mail")
		fmt.Println(n)
		return err
	})
	fmt.Println(err)
	// Output:
	// 0
	// <nil>
}
