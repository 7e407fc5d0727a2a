package keyslottest

import (
	"bufio"
	"bytes"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// store drives the one miniredis behind all nodes. All of it is guarded by Cluster.mu, so it runs one command at a time
// and never lets a command block.
type store struct {
	mini *miniredis.Miniredis
	srv  *server.Server // of mini, which forgets it when it is closed
	peer *server.Peer   // the client that runs every command
	sink *sink          // where peer writes
	// keys lists the keys by slot, which miniredis cannot. Expired keys leave it when they are looked for.
	keys  [slotCount]map[string]struct{}
	clock clock
	// watchers are those to tell when a key is written to.
	watchers watchers
	streams  map[string]*streamBooks // by key; those of keys that are gone stay until there is another stream
}

// sink is where a peer writes.
type sink struct{ buf []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

func newStore(manualClock bool) (*store, error) {
	s := &store{mini: miniredis.NewMiniRedis(), sink: &sink{}, watchers: watchers{}, streams: map[string]*streamBooks{}}
	// Dial is the one way to start a miniredis that does not listen. Commands are dispatched without a connection.
	conn, err := s.mini.Dial()
	if err != nil {
		return nil, err
	}
	conn.Close()
	s.srv = s.mini.Server()
	s.peer = server.NewPeer(bufio.NewWriter(s.sink))
	s.clock.start(s.mini, manualClock)
	return s, nil
}

func (s *store) close() { s.mini.Close() }

// run runs r for a client, and tells those who watch what it writes. r must not be able to block: see runNow.
func (s *store) run(out *replies, r request) {
	from := len(out.buf)
	before := s.watched(r.keys)
	if fixed := fixes[r.cmd.Name]; fixed == nil || !fixed(s, out, r) {
		s.do(out, r.args...)
	}
	s.touch(r, before, out.buf[from:])
}

// ask runs args and returns the reply.
func (s *store) ask(args ...string) resp.Value {
	out := replies{}
	s.do(&out, args...)
	reply, _ := resp.Decode(out.buf) // which is whole
	return reply
}

// do leaves args to miniredis and appends the reply to out.
func (s *store) do(out *replies, args ...string) {
	from := len(out.buf)
	s.sink.buf = out.buf
	s.peer.Resp3 = out.resp3
	defer func() {
		if r := recover(); r != nil {
			s.recovered()
			out.buf = out.buf[:from]
			out.error(fmt.Sprintf("ERR not supported by keyslottest: miniredis panicked: %v", r))
		}
	}()
	s.srv.Dispatch(s.peer, args)
	s.peer.Flush()
	out.buf = oneReply(s.sink.buf, from)
	out.buf = append(out.buf[:from], reshape(out.buf[from:], args, out.resp3)...)
}

// oneReply cuts off what follows the reply at from: miniredis answers an error and a value besides, here and there, and
// all later replies of the connection would be taken for those of other commands.
func oneReply(buf []byte, from int) []byte {
	var scanner resp.Scanner
	if size, err := scanner.Scan(buf[from:]); err == nil && size > 0 {
		return buf[:from+size]
	}
	return buf
}

// recovered makes the store usable after miniredis panicked, which it does over a few commands it does not
// understand. It does so with its lock held: nobody else can hold it, since Cluster.mu is.
func (s *store) recovered() {
	s.mini.TryLock()
	s.mini.Unlock()
	s.peer = server.NewPeer(bufio.NewWriter(s.sink))
}

// runNow runs a command that may block, without blocking, and returns its reply; ok is false when it would have to
// wait. Inside a transaction, blocking commands do not block: so each runs in a transaction of its own.
func (s *store) runNow(resp3 bool, r request) (reply []byte, ok bool) {
	before := s.watched(r.keys)
	out := replies{resp3: resp3}
	if fixed := fixes[r.cmd.Name]; fixed != nil && fixed(s, &out, r) {
		reply, ok = out.buf, !isNull(out.buf)
	} else {
		reply, ok = s.tryNow(resp3, r.args)
	}
	s.touch(r, before, reply)
	return reply, ok
}

func (s *store) tryNow(resp3 bool, args []string) (reply []byte, ok bool) {
	out := replies{resp3: resp3}
	s.do(&out, "MULTI")
	out.buf = out.buf[:0]
	s.do(&out, args...)
	if string(out.buf) != "+QUEUED\r\n" {
		reply = bytes.Clone(out.buf)
		s.do(&out, "DISCARD")
		return reply, true
	}
	out.buf = out.buf[:0]
	s.do(&out, "EXEC")
	reply = bytes.TrimPrefix(out.buf, []byte("*1\r\n"))
	if isNull(reply) {
		return nil, false
	}
	return reshape(reply, args, resp3), true
}

func isNull(reply []byte) bool {
	switch string(reply) {
	case "*-1\r\n", "$-1\r\n", "_\r\n", "":
		return true
	}
	return false
}

// supports says whether miniredis knows the command.
func (s *store) supports(name string) bool { return s.srv.IsRegisteredCommand(name) }

// exists says whether key is there, at whichever node.
func (s *store) exists(key string) bool {
	return s.mini.Exists(key)
}

// touched brings the list of keys up to date after a command may have made or removed key.
func (s *store) touched(slot uint16, key string) (exists bool) {
	if !s.exists(key) {
		delete(s.keys[slot], key)
		return false
	}
	if s.keys[slot] == nil {
		s.keys[slot] = map[string]struct{}{}
	}
	s.keys[slot][key] = struct{}{}
	return true
}

// inSlot calls yield for every key of a slot, in no order.
func (s *store) inSlot(slot uint16, yield func(key string)) {
	for key := range s.keys[slot] {
		if s.exists(key) {
			yield(key)
		} else {
			delete(s.keys[slot], key)
		}
	}
}

// remove deletes keys.
func (s *store) remove(keys []string) {
	for _, key := range keys {
		s.ask("DEL", key)
		delete(s.keys[slotOf(key)], key)
	}
}

// clock makes keys expire. miniredis walks over all keys to let time pass, so it is told about time only now and then:
// at most a tenth of the time goes into it, or a quarter for commands that set or read an expiry.
type clock struct {
	manual bool
	shift  time.Duration // what AdvanceClock added
	now    time.Time     // of the last tick
	cost   time.Duration // of the last tick
	live   bool          // a key may have an expiry, and miniredis takes now for the time: else there is nothing to tell
}

func (c *clock) start(m *miniredis.Miniredis, manual bool) {
	c.manual, c.now = manual, time.Now()
	if manual {
		m.SetTime(c.now)
	}
}

// current is the time as miniredis takes it.
func (c *clock) current() time.Time {
	if c.manual || c.shift != 0 || c.live {
		return c.now
	}
	return time.Now()
}

// advance moves the clock by d at once.
func (s *store) advance(d time.Duration) {
	s.clock.shift += d
	s.mini.FastForward(d)
	s.clock.now = s.clock.now.Add(d)
	s.mini.SetTime(s.clock.now)
}

// tick lets pass the time since the last tick, and says whether it did. concerned says that the command to come sets or
// reads an expiry.
func (s *store) tick(concerned bool) (passed bool) {
	c := &s.clock
	if c.manual || !c.live && !concerned {
		return false
	}
	if !c.live {
		c.live = true
		s.mini.SetTime(c.now)
	}
	start := time.Now()
	elapsed := start.Add(c.shift).Sub(c.now)
	if elapsed < time.Millisecond || elapsed < 4*c.cost || !concerned && elapsed < 10*c.cost {
		return false
	}
	s.mini.FastForward(elapsed)
	c.now = c.now.Add(elapsed)
	s.mini.SetTime(c.now)
	c.cost = time.Since(start)
	return true
}
