package late

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot"
)

const (
	lanes = 4 // of each kind
	// patience is how long the client waits for each write while it is cut off.
	patience = 300 * time.Millisecond
	// down is how long the client writes into the cut: until connections that are given up for silence are given up.
	down        = 2500 * time.Millisecond
	peerTimeout = time.Second
	// newer is the write of each lane once the network is whole again.
	newer = "newer"
)

// What a client is told of a write.
const (
	answered    = "answered"
	notExecuted = "not executed"
	unknown     = "unknown"
)

// write is one RPUSH of its id to its lane's list.
type write struct {
	Key, ID, Outcome string
}

type writes []write

func (w writes) keys() []string {
	var keys []string
	for _, write := range w {
		keys = append(keys, write.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Client is the other process of a Probe, which says on out what it does and is told on in how to go on. It returns
// when that is over, or in ends.
//
//	C: ready                 connected, and every lane has written once
//	P: cut
//	C: told [{...}, ...]     all writes since then have been given up, and what was said of them
//	P: healed
//	C: answered              every lane has written once more, on a connection of its own time
func Client(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	c, err := open(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Fprintln(out, "ready")
	if !hears(lines, "cut") {
		return lines.Err()
	}
	told, err := json.Marshal(c.write(ctx))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "told %s\n", told)
	if !hears(lines, "healed") {
		return lines.Err()
	}
	if err := c.writeAnew(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "answered")
	hears(lines, "") // the end
	return lines.Err()
}

func hears(lines *bufio.Scanner, word string) bool { return lines.Scan() && lines.Text() == word }

// client is what writes: three kinds of lanes, for three ways in which a connection is given up.
type client struct {
	// Lanes of one shared connection, which is given up for its silence.
	silent *keyslot.Client
	// Lanes with a watched connection each, which is given up with the write.
	watching *keyslot.Client
	lanes    []*watchedLane
	// Lanes with a client each, which is closed when it has given up its write.
	closing [lanes]*keyslot.Client

	mu   sync.Mutex
	told writes // guarded by mu
}

// watchedLane is a Watch that has begun and waits to write.
type watchedLane struct {
	write chan struct{} // closed when it may
	ended chan struct{}
	err   error // set before ended is closed
}

func options(peerTimeout time.Duration) keyslot.Options {
	return keyslot.Options{
		Endpoints: []string{net.JoinHostPort(serverHost, port)}, PeerTimeout: peerTimeout, DialTimeout: patience,
		CommandTimeout: 20 * time.Second,
	}
}

func open(ctx context.Context) (c *client, err error) {
	c = &client{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.silent, err = keyslot.New(ctx, options(peerTimeout)); err != nil {
		return nil, err
	}
	if c.watching, err = keyslot.New(ctx, options(0)); err != nil {
		return nil, err
	}
	for i := range lanes {
		if c.closing[i], err = keyslot.New(ctx, options(0)); err != nil {
			return nil, err
		}
		for kind, client := range map[string]*keyslot.Client{"silent": c.silent, "watched": c.watching, "closing": c.closing[i]} {
			if _, err := client.RPush(ctx, key(kind, i), "before"); err != nil {
				return nil, err
			}
		}
		lane, err := c.watch(ctx, i)
		if err != nil {
			return nil, err
		}
		c.lanes = append(c.lanes, lane)
	}
	return c, nil
}

func key(kind string, lane int) string { return kind + ":" + strconv.Itoa(lane) }

// watch begins the Watch of a lane and returns once it waits.
func (c *client) watch(ctx context.Context, i int) (*watchedLane, error) {
	lane := &watchedLane{write: make(chan struct{}), ended: make(chan struct{})}
	begun := make(chan struct{})
	key := key("watched", i)
	go func() { // ends with the write, which write and close let go
		defer close(lane.ended)
		lane.err = c.watching.Watch(ctx, []string{key}, func(w *keyslot.Watched) error {
			close(begun)
			<-lane.write
			tx := w.Tx()
			tx.RPush(key, "old")
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			err := tx.Exec(ctx)
			c.note(key, "old", err)
			return err
		})
	}()
	select {
	case <-begun:
		return lane, nil
	case <-lane.ended:
		return nil, lane.err
	}
}

// write writes in all lanes while the link is down, and returns what was said of it.
func (c *client) write(ctx context.Context) writes {
	begin := time.Now()
	var running sync.WaitGroup
	for i := range lanes {
		// Each ends with its writes, which patience bounds; write waits for them.
		running.Go(func() {
			for n := 0; time.Since(begin) < down; n++ {
				c.push(ctx, c.silent, key("silent", i), "old-"+strconv.Itoa(n))
			}
		})
		running.Go(func() {
			c.push(ctx, c.closing[i], key("closing", i), "old")
			_ = c.closing[i].Close() // its commands have all been told
		})
		running.Go(func() {
			close(c.lanes[i].write)
			<-c.lanes[i].ended // noted
		})
	}
	running.Wait()
	c.lanes = nil
	return c.told
}

// push appends id to the list at key, with patience, and notes what came of it.
func (c *client) push(ctx context.Context, client *keyslot.Client, key, id string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := client.RPush(ctx, key, id)
	c.note(key, id, err)
}

func (c *client) note(key, id string, err error) {
	outcome := unknown
	switch {
	case err == nil:
		outcome = answered
	case errors.Is(err, keyslot.ErrNotExecuted):
		outcome = notExecuted
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, write{key, id, outcome})
}

// writeAnew writes once more in every lane, and returns when all of it is answered.
func (c *client) writeAnew(ctx context.Context) (err error) {
	var errs error
	opts := options(0)
	opts.Lazy = true // the network has only just come back
	for i := range lanes {
		if c.closing[i], err = keyslot.New(ctx, opts); err != nil {
			return err
		}
		for kind, client := range map[string]*keyslot.Client{"silent": c.silent, "watched": c.watching, "closing": c.closing[i]} {
			_, err := client.RPush(ctx, key(kind, i), newer)
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

func (c *client) close() {
	for _, lane := range c.lanes {
		close(lane.write)
		<-lane.ended
	}
	for _, client := range append(c.closing[:], c.silent, c.watching) {
		if client != nil {
			_ = client.Close()
		}
	}
}
