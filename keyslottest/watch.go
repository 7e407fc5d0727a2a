package keyslottest

import (
	"slices"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// watch is what the WATCH of one connection watches. Miniredis has versions of keys as well, but raises them where a
// server does not, and leaves out many a command that changes a value.
type watch struct {
	present map[string]bool // by key: whether the connection's node had it
	touched bool            // a key was written to
}

// watchers are the watches of all connections, by key.
type watchers map[string][]*watch

func watchKeys(cn *conn, args []string) {
	if cn.tx != nil {
		cn.out.error("ERR WATCH inside MULTI is not allowed")
		return
	}
	if cn.watch == nil {
		cn.watch = &watch{present: map[string]bool{}}
	}
	c := cn.cluster
	for _, key := range args[1:] {
		if _, already := cn.watch.present[key]; !already {
			cn.watch.present[key] = c.holds(cn.node, key)
			c.store.watchers[key] = append(c.store.watchers[key], cn.watch)
		}
	}
	cn.out.ok()
}

func unwatch(cn *conn, _ []string) {
	cn.endWatch()
	cn.out.ok()
}

// endWatch forgets what the connection watched. Cluster.mu is held.
func (cn *conn) endWatch() {
	if cn.watch == nil {
		return
	}
	all := cn.cluster.store.watchers
	for key := range cn.watch.present {
		rest := slices.DeleteFunc(all[key], func(w *watch) bool { return w == cn.watch })
		if len(rest) == 0 {
			delete(all, key)
		} else {
			all[key] = rest
		}
	}
	cn.watch = nil
}

// mayExec says whether no watched key was written to. One that was there and is gone needs no writer: it expired, was
// flushed or moved to another node.
func (cn *conn) mayExec() bool {
	if cn.watch == nil {
		return true
	}
	for key, present := range cn.watch.present {
		if present && !cn.cluster.holds(cn.node, key) {
			return false
		}
	}
	return !cn.watch.touched
}

// holds says whether key exists and is at n.
func (c *Cluster) holds(n *node, key string) bool {
	slot := slotOf(key)
	if m := c.migrations[slot]; m != nil {
		return m.holds(c.store, n, key)
	}
	return c.owner[slot] == n.shard && c.store.exists(key)
}

// watched returns the values of those keys that somebody watches, before a command that may write them.
func (s *store) watched(keys []string) (before map[string]string) {
	if len(s.watchers) == 0 {
		return nil
	}
	for _, key := range keys {
		if s.watchers[key] != nil {
			if before == nil {
				before = map[string]string{}
			}
			before[key] = s.dump(key)
		}
	}
	return before
}

// touch tells those who watch a key that r wrote it. To compare what the key holds with what it held before is the same for
// all commands, so that only those need a list which count as a write on a server although they write what is there already.
func (s *store) touch(r request, before map[string]string, reply []byte) {
	for key, was := range before {
		if s.dump(key) == was && (was == "" || !r.overwrote(key, reply)) {
			continue
		}
		for _, w := range s.watchers[key] {
			w.touched = true
		}
	}
}

// dumps are the commands that read the whole value of a type. A HyperLogLog cannot be read: see PFADD below.
var dumps = map[string][]string{
	"string": {"GET"}, "hash": {"HGETALL"}, "set": {"SMEMBERS"}, "list": {"LRANGE", "0", "-1"},
	"zset": {"ZRANGE", "0", "-1", "WITHSCORES"}, "stream": {"XRANGE", "-", "+"},
}

// dump is everything about key that a write may change, and "" if there is no such key.
func (s *store) dump(key string) string {
	kind := s.ask("TYPE", key).Str
	if kind == "none" {
		return ""
	}
	out := replies{}
	s.do(&out, "PTTL", key) // it stands still between two ticks of the clock
	if read := dumps[kind]; read != nil {
		s.do(&out, slices.Insert(slices.Clone(read), 1, key)...)
	}
	return kind + string(out.buf)
}

// overwriting are the commands that count as a write, on a server, even if they leave an existing key's value as it was.
var overwriting = map[string]struct {
	keys keysOf
	zero bool // a reply of 0 says that nothing was done
}{
	"SET": {}, "GETSET": {}, "SETEX": {}, "PSETEX": {}, "MSET": {}, "APPEND": {}, "SETRANGE": {}, "GETEX": {}, "RESTORE": {},
	"INCR": {}, "INCRBY": {}, "INCRBYFLOAT": {}, "DECR": {}, "DECRBY": {},
	"HSET": {}, "HMSET": {}, "HINCRBY": {}, "HINCRBYFLOAT": {}, "LSET": {}, "LTRIM": {}, "XADD": {},
	"LMOVE": {}, "BLMOVE": {}, "RPOPLPUSH": {}, "BRPOPLPUSH": {},
	"EXPIRE": {zero: true}, "PEXPIRE": {zero: true}, "EXPIREAT": {zero: true}, "PEXPIREAT": {zero: true}, "PFADD": {zero: true},
	"BITOP": {keys: firstKey}, "PFMERGE": {keys: firstKey},
	"SINTERSTORE": {keys: firstKey}, "SUNIONSTORE": {keys: firstKey}, "SDIFFSTORE": {keys: firstKey},
	"ZINTERSTORE": {keys: firstKey}, "ZUNIONSTORE": {keys: firstKey},
	"RENAME": {keys: lastKey}, "COPY": {keys: lastKey, zero: true},
}

// keysOf says which of its keys a command writes.
type keysOf int

const (
	everyKey keysOf = iota
	firstKey
	lastKey
)

// overwrote says whether r wrote key, which exists, although its value is the same.
func (r request) overwrote(key string, reply []byte) bool {
	rule, listed := overwriting[r.cmd.Name]
	switch {
	case !listed || resp.IsError(reply) || isNull(reply) || rule.zero && string(reply) == ":0\r\n":
		return false
	case r.cmd.Name == "SET" && hasWord(r.args[3:], "NX"), // the key existed
		r.cmd.Name == "GETEX" && len(r.args) < 4, // without an expiry it reads, and PERSIST would have changed one
		r.cmd.Name == "SETRANGE" && r.args[3] == "":
		return false
	case rule.keys == firstKey:
		return key == r.keys[0]
	case rule.keys == lastKey:
		return key == r.keys[len(r.keys)-1]
	}
	return true
}
