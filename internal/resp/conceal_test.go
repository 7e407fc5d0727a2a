package resp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func TestConcealHidesTheArgumentsThatAnErrorQuotes(t *testing.T) {
	const script = "return 1 2 secretword"
	for _, c := range []struct {
		text string
		args resp.Words
		want string
	}{
		{"NOGROUP No such key 'k' or consumer group 'g'", resp.Words{"XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">"},
			"NOGROUP No such key '?' or consumer group '?'"},
		{"ERR unknown subcommand 'hush'. Try OBJECT HELP.", resp.Words{"OBJECT", "hush"}, "ERR unknown subcommand '?'. Try OBJECT HELP."},
		{"ERR unknown subcommand 'hus'. Try OBJECT HELP.", resp.Words{"OBJECT", "hush"}, "ERR unknown subcommand '?'. Try OBJECT HELP."},
		{"ERR Error in ACL SETUSER modifier '<pa ss': no", resp.Words{"ACL", "SETUSER", "u", "<pa\nss"}, "ERR Error in ACL SETUSER modifier '?': no"},
		{"ERR Unknown node 07c37dfe", resp.Words{"CLUSTER", "FORGET", "07c37dfe"}, "ERR Unknown node ?"},
		{"ERR Error compiling script: near 'secretword'", resp.Words{"EVAL", script, "0"}, "ERR Error compiling script: near '?'"},
		{"ERR Error compiling script (new function): user_script:1: 'end' expected (to close 'function' at line 1) near 'secretword'",
			resp.Words{"EVAL", "function f() secretword end", "1", "end"},
			"ERR Error compiling script (new function): user_script:1: 'end' expected (to close 'function' at line 1) near '?'"},
		{"ERR no 'end' or 'function'", resp.Words{"GET", "end", "function"}, "ERR no '?' or '?'"},
		{"ERR Library 'mylib' already exists", resp.Words{"FUNCTION", "LOAD", "#!lua name=mylib\nmysecret"}, "ERR Library 'mylib' already exists"},
		{"ERR Library 'mysecret' already exists", resp.Words{"FUNCTION", "LOAD", "#!lua name=mylib\nmysecret"}, "ERR Library '?' already exists"},
		{"ERR Library 'mylib' already exists", resp.Words{"SET", "name=mylib"}, "ERR Library '?' already exists"},
		{"ERR `it's` and \"it's\"", resp.Words{"X", "it's"}, "ERR `?` and \"?\""},

		{"NOPERM User app has no permissions to run the 'set' command", resp.Words{"SET", "reset", "set"},
			"NOPERM User app has no permissions to run the 'set' command"},
		{"CROSSSLOT Keys in request don't hash to the same slot", resp.Words{"MSETNX", "slot", "t"}, "CROSSSLOT Keys in request don't hash to the same slot"},
		{"ERR value is not an integer or out of range", resp.Words{"INCRBY", "value", "range"}, "ERR value is not an integer or out of range"},
		{"MASTERDOWN can't 'no', won't 'k'", resp.Words{"GET", "k"}, "MASTERDOWN can't 'no', won't '?'"},
		{"NOGROUP No such key 'k' or consumer group 'consumer'", resp.Words{"XREADGROUP", "GROUP", "consumer", "consumer", "STREAMS", "k", ">"},
			"NOGROUP No such key '?' or consumer group '?'"},
		{"BUSYGROUP Consumer Group name already exists", resp.Words{"XGROUP", "CREATE", "exists", "Consumer", "$"}, "BUSYGROUP Consumer Group name already exists"},
		{"WRONGTYPE Operation against a key holding the wrong kind of value", resp.Words{"INCR", "Operation"},
			"WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"ERR increment or decrement would overflow", resp.Words{"INCRBY", "increment", "1"}, "ERR increment or decrement would overflow"},
		{"OOM command not allowed when used memory > 'maxmemory'.", resp.Words{"SET", "config", "maxmemory 1gb"},
			"OOM command not allowed when used memory > 'maxmemory'."},
		{"customers: no such index", resp.Words{"FT.INFO", "customers"}, "?: no such index"},
		{"WRONGTYPE", resp.Words{"GET", "WRONGTYPE"}, "WRONGTYPE"},
		{"ERR ''", resp.Words{"GET", ""}, "ERR ''"},
		{"", resp.Words{"GET", "k"}, ""},
		{"ERR x", resp.Words{}, "ERR x"},
	} {
		require.Equal(t, c.want, resp.Conceal(c.text, c.args), c.text)
	}
}

// A text as long as a server may send, and a command of many arguments, take no more time for it.
func TestConcealWorksWithinBounds(t *testing.T) {
	args := make(resp.Words, 1_000_000)
	for i := range args {
		args[i] = "abcdefgh"
	}
	shown := resp.Conceal("ERR "+strings.Repeat("'abcdefgz' ", 5000), args)
	require.Less(t, len(shown), 64)
}
