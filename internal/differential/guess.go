package differential

import (
	"math/rand/v2"
	"time"
)

// Guess makes arguments, most of which a server takes. Two guesses of the same seed make the same.
type Guess struct {
	Call      *Call
	Options   map[string]int // how often each option was given
	Dump      string         // what DUMP said of a key
	Functions string         // what FUNCTION DUMP said
	rng       *rand.Rand
}

// Begin makes the guesses for one call, which depend on nothing but the seed.
func (g *Guess) Begin(call *Call, seed uint64) {
	g.Call, g.rng = call, rand.New(rand.NewPCG(seed, 7))
}

// Tag stands in every key, so that all lie in one slot, as on a server without a cluster.
const Tag = "{t}"

// Seed fills an empty server with keys of every type.
func Seed() [][]string {
	return [][]string{
		{"SET", Tag + "string1", "hello world"}, {"SET", Tag + "string2", "world", "EX", "100000"}, {"SET", Tag + "number1", "41"},
		{"HSET", Tag + "hash1", "a", "1", "b", "two", "c", "3.5"}, {"HSET", Tag + "hash2", "a", "1"},
		{"RPUSH", Tag + "list1", "a", "b", "c", "a", "d"}, {"RPUSH", Tag + "list2", "x"},
		{"SADD", Tag + "set1", "1", "2", "3"}, {"SADD", Tag + "set2", "2", "3", "4"},
		{"ZADD", Tag + "zset1", "1", "a", "2.5", "b", "3", "c"}, {"ZADD", Tag + "zset2", "0", "a", "0", "b", "0", "c", "0", "d"},
		{"GEOADD", Tag + "geo1", "13.361389", "38.115556", "a", "15.087269", "37.502669", "b", "2.35", "48.85", "c"},
		{"XADD", Tag + "stream1", "1-1", "f", "v"}, {"XADD", Tag + "stream1", "1-2", "f", "v", "f", "w"}, {"XADD", Tag + "stream1", "2-0", "g", "x"},
		{"XADD", Tag + "stream2", "1-1", "f", "v"}, {"XGROUP", "CREATE", Tag + "stream1", "group", "0"},
		{"XREADGROUP", "GROUP", "group", "alice", "COUNT", "2", "STREAMS", Tag + "stream1", ">"},
		{"PFADD", Tag + "hll1", "a", "b", "c"}, {"PFADD", Tag + "hll2", "c", "d"},
		{"SET", Tag + "bits1", "\xf0\x0f\xaa"}, {"SET", Tag + "bits2", "\x01\x02"},
	}
}

// typeOf is the type of the keys that the commands of a table are for.
var typeOf = map[string]string{
	"bitmap": "bits", "geo": "geo", "hash": "hash", "hyperloglog": "hll", "list": "list", "set": "set", "zset": "zset",
	"stream": "stream", "string": "string",
}

// types are those of the keys of Seed.
var types = []string{"string", "number", "hash", "list", "set", "zset", "geo", "stream", "hll", "bits"}

// values are what a parameter may be, by "METHOD.parameter" or ".parameter"; "" stands for the rest.
var values = map[string][]string{
	"":                       {"a", "b", "c", "1", "two", "", "x y", "\x00\r\n"},
	".pattern":               {"*", "{t}s*", "?"},
	".patterns":              {"maxmemory-policy", "maxmemory", "nothing-*"},
	".sections":              {"replication", "keyspace"},
	".category":              {"string", "nothing"},
	".script":                {"return {KEYS[1] or false, ARGV[1] or 1}", "return redis.call('GET', '{t}string1')", "return 1", "syntax error("},
	".sha":                   {"e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0000000000000000000000000000000000000000"},
	".shas":                  {"e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0000000000000000000000000000000000000000"},
	".function":              {"keyslot_test", "nothing"},
	".library":               {"keyslot", "nothing"},
	".source":                {Library, Library, "#!lua name=other\nredis.register_function('other', function() return 1 end)", "nothing"},
	".event":                 {"command", "nothing"},
	".id":                    {"1-1", "2-0", "5-0"},
	".ids":                   {"1-1", "1-2", "9-9"},
	".start":                 {"-", "-", "0", "(1-1", "3"},
	".end":                   {"+", "+", "1-1", "(2-0", "3"},
	".group":                 {"group", "group", "nothing"},
	".consumer":              {"alice", "bob"},
	".type":                  {"string", "hash", "nothing"},
	".name":                  {"default", "nobody"},
	"CommandGetKeys.command": {"MGET", "GET"},
	"ConfigGet.patterns":     {"maxmemory-policy", "maxmemory", "nothing-*"},
	"SortGet.patterns":       {"#", Tag + "*"},
	"SortROGet.patterns":     {"#", Tag + "*"},
	"ClientKill.name":        {"pubsub", "replica"},
	"ClientList.name":        {"pubsub", "replica"},
	".addr":                  {"127.0.0.1:1"},
}

// Library is a library of functions.
const Library = "#!lua name=keyslot\n" +
	"redis.register_function{function_name='keyslot_test', callback=function(keys, args) return {#keys, #args} end, flags={'no-writes'}}"

// choice is one option that may be given.
type choice[T any] struct {
	name string
	make func() T
}

// pick gives up to three of the options.
func pick[T any](g *Guess, of string, choices []choice[T]) []T {
	var out []T
	for range min(len(choices), g.rng.IntN(4)) {
		c := choices[g.rng.IntN(len(choices))]
		g.Options[of+" "+c.name]++
		out = append(out, c.make())
	}
	return out
}

// some is one to three of what one is.
func some[T any](g *Guess, one func() T) []T {
	out := make([]T, 1+g.rng.IntN(3))
	for i := range out {
		out[i] = one()
	}
	return out
}

func oneOf[T any](g *Guess, of ...T) T { return of[g.rng.IntN(len(of))] }

// key is a key of the command's own type, one that is not there, or now and then one of another type.
func (g *Guess) key(string) string {
	kind := typeOf[g.Call.Group]
	if kind == "" || g.rng.IntN(12) == 0 {
		kind = oneOf(g, types...)
	}
	return Tag + kind + oneOf(g, "1", "1", "2", "3")
}

func (g *Guess) text(param string) string {
	for _, name := range []string{g.Call.Method + "." + param, "." + param, ""} {
		if of := values[name]; of != nil {
			return oneOf(g, of...)
		}
	}
	panic("not reached")
}

func (g *Guess) bytes(param string) []byte {
	switch {
	case param == "dump" && g.Call.Group == "scripting":
		return []byte(g.Functions)
	case g.Call.Command == "RESTORE":
		return []byte(g.Dump)
	}
	return []byte(g.text(param))
}

func (g *Guess) slot(string) uint16 { return oneOf[uint16](g, 15891, 15891, 0, 16384) } // of the tag

func (g *Guess) yesNo(string) bool { return true }

func (g *Guess) integer(string) int64 {
	return oneOf[int64](g, 0, 1, 2, 3, 1, 2, 10, -1, -2, -100)
}

func (g *Guess) number(string) float64 { return oneOf(g, 0, 1, 2.5, -3, 1e10) }

func (g *Guess) seconds(string) time.Duration {
	return oneOf(g, 100000*time.Second, 200000*time.Second, 300000*time.Second, -time.Second)
}

func (g *Guess) millis(param string) time.Duration {
	if g.Call.Method == "ClientPause" {
		return time.Millisecond
	}
	return g.seconds(param)
}

func (g *Guess) ttlSeconds(string) time.Duration {
	return oneOf(g, 100000*time.Second, 200000*time.Second, 0)
}

func (g *Guess) ttlMillis(string) time.Duration { return g.ttlSeconds("") }

func (g *Guess) wait(string) time.Duration { return 5 * time.Millisecond }

func (g *Guess) waitMillis(string) time.Duration { return 5 * time.Millisecond }

func (g *Guess) unix(string) time.Time {
	return oneOf(g, time.Unix(4102444800, 0), time.Unix(4102445800, 0), time.Unix(1, 0))
}

func (g *Guess) unixMillis(string) time.Time { return g.unix("") }
