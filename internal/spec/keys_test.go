package spec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/stretchr/testify/require"
)

var _ spec.Args = (*resp.Request)(nil)

// split makes a call from text; ” stands for an empty argument.
func split(text string) words {
	call := words(strings.Fields(text))
	for i, w := range call {
		if w == "''" {
			call[i] = ""
		}
	}
	return call
}

func TestKeysOfOddCommands(t *testing.T) {
	for _, test := range []struct {
		call string
		keys []int
	}{
		{"GET k", []int{1}},
		{"MGET a a", []int{1, 2}},
		{"MSET a 1 b 2", []int{1, 3}},
		{"MSETEX 2 a 1 b 2 EX 9", []int{2, 4}},
		{"LCS a b LEN", []int{1, 2}},
		{"BITOP AND dst a b", []int{2, 3, 4}},
		{"SINTERSTORE dst a b", []int{1, 2, 3}},
		{"ZUNIONSTORE dst 2 a b WEIGHTS 1 2", []int{1, 3, 4}},
		{"ZINTERCARD 2 a b LIMIT 3", []int{2, 3}},
		{"BLPOP a b 0", []int{1, 2}},
		{"BLMPOP 0 2 a b LEFT", []int{3, 4}},
		{"BZMPOP 1.5 1 a MIN", []int{3}},
		{"EVAL return 0", nil},
		{"EVAL return 2 a b arg", []int{3, 4}},
		{"FCALL_RO f 1 a", []int{3}},
		{"XREAD STREAMS a b 0 0", []int{2, 3}},
		{"XREAD COUNT 1 BLOCK 0 streams a 0", []int{6}},
		{"XREADGROUP GROUP STREAMS streams COUNT 1 NOACK STREAMS a >", []int{8}},
		{"XREADGROUP GROUP g c CLAIM 5 STREAMS a >", []int{7}},
		{"SORT k", []int{1}},
		{"SORT k STORE a BY STORE LIMIT 0 1 STORE b GET STORE", []int{1, 10}},
		{"SORT k STORE", []int{1}},
		{"SORT_RO k BY STORE", []int{1}},
		{"GEORADIUS k 1 2 3 m", []int{1}},
		{"GEORADIUS k 1 2 3 m STORE a STOREDIST b", []int{1, 9}},
		{"GEORADIUSBYMEMBER k STORE 3 m store a", []int{1, 6}},
		{"MIGRATE h 6379 k 0 100", []int{3}},
		{"MIGRATE h 6379 '' 0 100", []int{3}},
		{"MIGRATE h 6379 '' 0 100 COPY AUTH keys KEYS a b", []int{10, 11}},
		{"MIGRATE h 6379 '' 0 100 AUTH2 u KEYS KEYS a", []int{10}},
		{"OBJECT ENCODING k", []int{2}},
		{"OBJECT HELP", nil},
		{"OBJECT NEWER k", []int{2}},
		{"MEMORY USAGE k SAMPLES 5", []int{2}},
		{"MEMORY HELP", nil},
		{"XGROUP CREATE s g $", []int{2}},
		{"XGROUP HELP", nil},
		{"XINFO STREAM s FULL", []int{2}},
		{"XINFO HELP", nil},
		{"PUBLISH c m", nil},
		{"SPUBLISH c m", []int{1}},
		{"SSUBSCRIBE a b", []int{1, 2}},
		{"PUBSUB SHARDCHANNELS p", nil},
		{"PUBSUB SHARDNUMSUB c d", []int{2, 3}}, {"PUBSUB SHARDNUMSUB", nil},
		{"CLUSTER COUNTKEYSINSLOT 7", nil},
		{"HEXPIRE k 10 FIELDS 1 f", []int{1}},
		{"JSON.GET k $", []int{1}},
		{"JSON.MGET a b $", []int{1, 2}},
		{"JSON.MSET a $ 1 b $ 2", []int{1, 4}},
		{"JSON.DEBUG MEMORY k", []int{2}},
		{"CMS.MERGE dst 2 a b WEIGHTS 1 1", []int{1, 3, 4}},
		{"TS.MADD a 1 1 b 1 1", []int{1, 4}},
		{"FT.SEARCH index query", nil},
		{"FT.SUGADD k text 1", []int{1}},
		{"CLUSTERSCAN fp-{06S}-17", []int{1}},
	} {
		c, ok := spec.Lookup(split(test.call))
		require.True(t, ok, test.call)
		keys, err := c.AppendKeys(nil, split(test.call))
		require.NoError(t, err, test.call)
		require.Equal(t, test.keys, keys, test.call)
	}
}

func TestKeysThatCannotBeTold(t *testing.T) {
	for call, want := range map[string]string{
		"GET":                                "GET has too few or too many arguments to tell which are keys",
		"EVAL s":                             "EVAL has too few or too many arguments to tell which are keys",
		"EVAL s x k":                         "EVAL has a number of keys that is no number",
		"EVAL s +1 k":                        "EVAL has a number of keys that is no number",
		"EVAL s 01 k":                        "EVAL has a number of keys that is no number",
		"EVAL s - k":                         "EVAL has a number of keys that is no number",
		"EVAL s '' k":                        "EVAL has a number of keys that is no number",
		"EVAL s -1 k":                        "EVAL has a negative number of keys",
		"EVAL s 2 k":                         "EVAL has a number of keys greater than the arguments that follow",
		"EVAL s 18446744073709551617 k":      "EVAL has a number of keys greater than the arguments that follow",
		"ZUNION 0 k":                         "ZUNION has 0 as its number of keys, but needs at least one",
		"ZUNIONSTORE d 0 k":                  "ZUNIONSTORE has 0 as its number of keys, but needs at least one",
		"XREAD COUNT 1 a 0":                  "XREAD lacks STREAMS",
		"XREAD BLOCK 1 COUNT":                "XREAD lacks STREAMS",
		"XREAD BLOCK 0 STREAMS":              "XREAD needs one ID for each key behind STREAMS",
		"XREAD STREAMS a b 0":                "XREAD needs one ID for each key behind STREAMS",
		"XREADGROUP GROUP g c STREAMS a b >": "XREADGROUP needs one ID for each key behind STREAMS",
		"MIGRATE h 1 k 0 1 KEYS a":           "MIGRATE has a key and the option KEYS, but takes only one of them",
		"MIGRATE h 1 '' 0 1 KEYS":            "MIGRATE lacks the keys behind KEYS",
	} {
		c, ok := spec.Lookup(split(call))
		require.True(t, ok, call)
		before := []int{7}
		keys, err := c.AppendKeys(before, split(call))
		require.EqualError(t, err, want)
		require.Equal(t, before, keys, "%s: nothing is appended beside an error", call)
		var ke *spec.KeyError
		require.True(t, errors.As(err, &ke))
		require.Equal(t, c.Name, ke.Command)
	}
}

// Whatever the arguments are, the positions are arguments behind the name, ascending, or there is an error and none.
func FuzzKeys(f *testing.F) {
	for c := range spec.All() {
		f.Add(strings.ReplaceAll(c.Name, " ", "\n") + "\na\n1\nb\n2\nSTORE")
	}
	for name := range shapes {
		c, _ := spec.ByName(name)
		for _, call := range generate(c)[:8] {
			f.Add(strings.Join(call, "\n"))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		call := words(strings.Split(text, "\n"))
		c, ok := spec.Lookup(call)
		if !ok {
			return
		}
		c.BlockTimeout(call)
		c.SlotArg(call)
		c.Repeatable(call)
		keys, err := c.AppendKeys(nil, call)
		if err != nil {
			require.Empty(t, keys)
			return
		}
		last := 0
		for _, i := range keys {
			require.Greater(t, i, last)
			require.Less(t, i, len(call))
			last = i
		}
	})
}

func request(args ...string) *resp.Request {
	var r resp.Request
	for _, arg := range args {
		r.Arg(arg)
	}
	return &r
}

func TestRoutingDoesNotAllocate(t *testing.T) {
	var few [8]int
	for _, r := range []*resp.Request{
		request("GET", "k"),
		request("xgroup", "create", "s", "g", "$"),
		request("XREADGROUP", "GROUP", "g", "c", "BLOCK", "5", "STREAMS", "a", "b", ">", ">"),
		request("SORT", "k", "STORE", "d"),
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			c, _ := spec.Lookup(r)
			c.AppendKeys(few[:0], r)
			c.BlockTimeout(r)
			c.Repeatable(r)
			c.CheckArity(r.Len())
		}), "%s", r.At(0))
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, r := range []*resp.Request{request("GET", "k"), request("XGROUP", "CREATE", "s", "g", "$")} {
		b.Run(string(r.At(0)), func(b *testing.B) {
			for b.Loop() {
				spec.Lookup(r)
			}
		})
	}
}

func BenchmarkLookupAndKeys(b *testing.B) {
	var few [8]int
	for _, r := range []*resp.Request{request("GET", "k"), request("MGET", "a", "b", "c"), request("XREAD", "COUNT", "1", "STREAMS", "a", "0")} {
		b.Run(string(r.At(0)), func(b *testing.B) {
			for b.Loop() {
				c, _ := spec.Lookup(r)
				c.AppendKeys(few[:0], r)
			}
		})
	}
}
