package keyslottest

import (
	"fmt"
	"strings"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// words are the arguments of a command as internal/spec wants to see them.
type words []string

func (w words) Len() int        { return len(w) }
func (w words) At(i int) []byte { return []byte(w[i]) }

// request is one command with its arguments; args[0] is its name.
type request struct {
	cmd  *spec.Command // nil if there is no such command
	args []string
	keys []string // as often as they are named; empty for commands whose arguments do not say which are keys
}

func newRequest(args []string) request {
	r := request{args: args}
	cmd, known := spec.Lookup(words(args))
	if !known {
		return r
	}
	r.cmd = cmd
	if cmd.Name == "PUBSUB SHARDNUMSUB" {
		return r // any node answers
	}
	var positions [8]int
	at, err := cmd.AppendKeys(positions[:0], words(args))
	if err != nil {
		return r
	}
	for _, i := range at {
		r.keys = append(r.keys, args[i])
	}
	return r
}

func (r request) has(flags spec.Flags) bool { return r.cmd.Flags.Has(flags) }

// timed says that the command sets or reads an expiry, or the time, or may do so as scripts.
func (r request) timed() bool {
	switch r.cmd.Name {
	case "SET":
		return len(r.args) > 3
	case "SETEX", "PSETEX", "GETEX", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "EXPIRETIME", "PEXPIRETIME", "TTL", "PTTL",
		"RESTORE", "COPY", "HEXPIRE", "HSETEX", "HTTL", "HPTTL", "EVAL", "EVALSHA", "TIME", "XADD":
		return true
	}
	return false
}

// fullName is the name as error messages have it: "client|id".
func fullName(cmd *spec.Command) string {
	return strings.ReplaceAll(strings.ToLower(cmd.Name), " ", "|")
}

func commandCount(cn *conn, _ []string) {
	count := 0
	for cmd := range spec.All() {
		if cmd.Words == 1 {
			count++
		}
	}
	cn.out.int(int64(count))
}

func commandGetKeys(cn *conn, args []string) {
	r := newRequest(args[2:])
	switch {
	case r.cmd == nil:
		cn.out.error("ERR Invalid command specified")
	case r.cmd.CheckArity(len(r.args)) != nil:
		cn.out.error("ERR Invalid number of arguments specified for command")
	case len(r.keys) == 0:
		cn.out.error("ERR The command has no key arguments")
	default:
		cn.out.bulks(r.keys)
	}
}

// delegated says whether miniredis answers r. It has the containers below as well, but knows of one node and one client.
func (c *Cluster) delegated(r request) bool {
	if r.has(spec.PubSub) || !c.store.supports(r.args[0]) {
		return false
	}
	switch name, sub, two := strings.Cut(r.cmd.Name, " "); name {
	case "CLIENT", "CLUSTER", "SCRIPT", "COMMAND":
		return !two
	case "XGROUP", "XINFO": // of which it knows these subcommands, and says so in words of its own
		return sub != "HELP" && sub != "SETID"
	}
	return true
}

// unsupported begins as the answer of a server that has no such command, by which clients know that nothing has run.
func unsupported(r request) string {
	return fmt.Sprintf("ERR unknown command '%s': not supported by keyslottest", fullName(r.cmd))
}
