package spec_test

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// shapes are what calls of the 27 commands look like whose keys the servers find by a function of their own. The words:
//
//	K key   V any word, traps included   N number   C a number of keys and the keys   E an empty argument
//	P some keys   S keys and as many IDs   ?A,B both or none   other words stand for themselves
var shapes = map[string][]string{
	"SORT":              {"K ?BY,V ?LIMIT,N,N ?GET,V ?GET,V ?ASC ?ALPHA ?STORE,K ?STORE,K", "K ?STORE,K ?GET,V ?LIMIT,N ?STORE"},
	"SORT_RO":           {"K ?BY,V ?LIMIT,N,N ?GET,V ?GET,V ?ASC ?ALPHA"},
	"EVAL":              {"V C ?V ?V"},
	"EVALSHA":           {"V C ?V ?V"},
	"EVAL_RO":           {"V C ?V ?V"},
	"EVALSHA_RO":        {"V C ?V ?V"},
	"FCALL":             {"V C ?V ?V"},
	"FCALL_RO":          {"V C ?V ?V"},
	"XREAD":             {"?COUNT,N ?BLOCK,N STREAMS S", "?BLOCK,N ?COUNT,N streams P"},
	"XREADGROUP":        {"GROUP V V ?COUNT,N ?BLOCK,N ?NOACK STREAMS S", "?COUNT,N GROUP V V streams P"},
	"GEORADIUS":         {"K N N N m ?WITHDIST ?COUNT,N ?ASC ?STORE,K", "K N N N km ?DESC ?STOREDIST,K", "K N N N m ?STORE,K ?STOREDIST,K ?STORE,K"},
	"GEORADIUSBYMEMBER": {"K V N m ?WITHDIST ?COUNT,N ?ASC ?STORE,K", "K V N km ?DESC ?STOREDIST,K", "K V N m ?STORE,K ?STOREDIST,K ?STORE,K"},
	"MIGRATE":           {"V N K N N ?COPY ?REPLACE ?AUTH,V", "V N E N N ?COPY ?REPLACE ?AUTH2,V,V ?AUTH,V KEYS P"},
	"BLMPOP":            {"N C LEFT ?COUNT,N"},
	"LMPOP":             {"C RIGHT ?COUNT,N"},
	"BZMPOP":            {"N C MIN ?COUNT,N"},
	"ZMPOP":             {"C MAX ?COUNT,N"},
	"SINTERCARD":        {"C ?LIMIT,N"},
	"ZINTERCARD":        {"C ?LIMIT,N"},
	"ZDIFF":             {"C ?WITHSCORES"},
	"ZINTER":            {"C ?WEIGHTS,N,N ?AGGREGATE,SUM ?WITHSCORES"},
	"ZUNION":            {"C ?WEIGHTS,N,N ?AGGREGATE,MAX ?WITHSCORES"},
	"ZDIFFSTORE":        {"K C"},
	"ZINTERSTORE":       {"K C ?WEIGHTS,N,N ?AGGREGATE,SUM"},
	"ZUNIONSTORE":       {"K C ?WEIGHTS,N,N ?AGGREGATE,MIN"},
	"BITFIELD":          {"K ?GET,V,N ?SET,V,N,N", "K ?INCRBY,V,N,N ?OVERFLOW,WRAP ?GET,u8,N"},
	"SET":               {"K V ?EX,N ?GET ?NX", "K V ?GET ?KEEPTTL"},
}

// vocabulary is what arguments are drawn from: words that mean something to one command or another, in places where
// they do and where they do not, numbers good and bad, and the empty word.
var vocabulary = []string{
	"a", "b", "{t}c", "", "0", "1", "2", "3", "-1", "+1", "01", "99", "1x", "99999999999999999999",
	"STORE", "storedist", "STREAMS", "KEYS", "BY", "GET", "LIMIT", "AUTH", "AUTH2", "GROUP", "COUNT", "BLOCK", "NOACK",
}

// calls makes argument lists.
type calls struct{ rand *rand.Rand }

// generate returns calls of the command: 70 of one with fixed keys, 400 of one with shapes.
func generate(c *spec.Command) []words {
	g := calls{rand.New(rand.NewPCG(generatorSeed, 0))}
	forms := shapes[c.Name]
	n := 70
	if forms != nil {
		n = 400
	}
	all := make([]words, n)
	for i := range all {
		if forms == nil || i%4 == 0 {
			all[i] = g.random(c)
		} else {
			all[i] = g.shaped(c.Name, forms[i%len(forms)])
		}
	}
	return all
}

// shaped returns a call of the form of one of the shapes.
func (g calls) shaped(name string, shape string) words {
	call := words(strings.Fields(name))
	for _, part := range strings.Fields(shape) {
		if optional, ok := strings.CutPrefix(part, "?"); ok {
			if g.rand.IntN(2) == 0 {
				continue
			}
			part = optional
		}
		for _, word := range strings.Split(part, ",") {
			call = append(call, g.word(word)...)
		}
	}
	return call
}

func (g calls) word(w string) []string {
	switch w {
	case "K":
		return []string{g.key()}
	case "V":
		return []string{vocabulary[g.rand.IntN(len(vocabulary))]}
	case "N":
		return []string{strconv.Itoa(g.rand.IntN(100))}
	case "E":
		return []string{""}
	case "P":
		return g.keys(g.rand.IntN(5))
	case "S":
		keys := g.keys(1 + g.rand.IntN(4))
		for range keys {
			keys = append(keys, "0-"+strconv.Itoa(g.rand.IntN(9)))
		}
		return keys
	case "C":
		keys := g.keys(g.rand.IntN(5))
		count := strconv.Itoa(len(keys))
		if g.rand.IntN(8) == 0 {
			count = g.word("V")[0]
		}
		return append([]string{count}, keys...)
	}
	return []string{w}
}

func (g calls) key() string { return "key:" + strconv.Itoa(g.rand.IntN(1000)) }

func (g calls) keys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = g.key()
	}
	return keys
}

// random returns a call of any number of arguments near what the command takes, from the vocabulary and from keys.
func (g calls) random(c *spec.Command) words {
	call := words(strings.Fields(c.Name))
	least := max(c.Arity, -c.Arity)
	n := least
	if c.Arity < 0 {
		n += g.rand.IntN(7)
	}
	if g.rand.IntN(16) == 0 {
		n += g.rand.IntN(5) - 2
	}
	for len(call) < n {
		word := "V"
		if g.rand.IntN(2) == 0 {
			word = "K"
		}
		call = append(call, g.word(word)...)
	}
	return call
}
