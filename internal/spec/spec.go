// Package spec is the command table: for every command of Redis and Valkey its name, flags and policies, where its keys
// stand, where its blocking timeout stands, and whether it may run on a connection that others use too.
//
// The table is data (table_gen.go), made from what two real servers say of their commands (redis-7.0.15.json and
// valkey-8.0.1.json) and from overlay.json, which holds what the servers cannot say: newer commands, modules, refusals.
// Nothing here can change after start-up, so everything is safe for concurrent use; nothing blocks.
package spec

import "iter"

//go:generate go run ./gen

// Args are the arguments of one call. Argument 0 is the command's name, and argument 1 that of its subcommand if it has
// one. The bytes are only looked at during the call they are passed to.
type Args interface {
	Len() int
	At(i int) []byte
}

// Command is one row of the table. It is immutable: callers must not write to it.
type Command struct {
	// Name is in upper case; that of a subcommand holds both words, as "CONFIG GET".
	Name string
	// Group is the chapter of the command in the server's documentation, such as "string" or "stream".
	Group string
	// Since is the version that brought the command, of Redis unless the command exists in Valkey alone.
	Since string
	// Arity counts the arguments, the name's words included: n is exactly n, -n is at least n.
	Arity int
	Flags Flags
	// Request says which nodes a call without a key concerns, or whether one with keys may be split by slot.
	Request RequestPolicy
	// Response says how the replies of several nodes, or of the parts of a split call, become one.
	Response ResponsePolicy
	// Refuse says why the command cannot run on a connection that others use too, and what to use instead. It is empty
	// for the commands that can.
	Refuse string
	// Words is the number of words of the name: 2 for a subcommand, else 1.
	Words int

	keys  []keySpec
	block blockSpec
	slot  int // the argument that holds a slot number; 0 is none
}

// Row names a command by its place in the table, so that one known beforehand need not be looked up. The constants are
// those whose name is an identifier.
type Row uint16

// Command returns the row.
func (r Row) Command() *Command { return &table[r] }

// Flags are properties of a command, most of them as the server reports them.
type Flags uint64

const (
	Write          Flags = 1 << iota // may change data; primaries only
	ReadOnly                         // never changes data
	DenyOOM                          // refused when the server's memory is full
	Admin                            // for the operator
	PubSub                           // belongs to publish/subscribe
	NoScript                         // not allowed in scripts
	Blocking                         // may wait on the server; see [Command.BlockTimeout]
	Loading                          // answered while the server loads its data
	Stale                            // answered by a replica that lost its primary
	Fast                             // constant or logarithmic time
	NoAuth                           // answered before authentication
	MovableKeys                      // the keys' positions depend on the arguments' values
	AllowBusy                        // answered while a script runs too long
	NoMulti                          // not allowed in a transaction
	NoAsyncLoading                   // not answered by a replica that loads a new copy beside the old one
	NoKeysAllowed                    // has keys in general, but may be called without, as EVAL with 0 keys
	Dangerous                        // of the ACL category of that name, which careful setups forbid
	Module                           // comes with a module; not part of the server itself
	Container                        // has subcommands; the row also stands for those that the table does not know
	RouteOnly                        // its "keys" are names of shard channels: they route by slot but hold no data
	SideEffectFree                   // changes nothing although it is not flagged ReadOnly, as PING
	WritesToStore                    // flagged Write for its STORE option only: without it the call is a read
	PrimaryOnly                      // reads, but what a replica says or does is of itself alone, as OBJECT IDLETIME
)

// Has reports whether all flags of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// RequestPolicy says which nodes a call concerns; the names are those of the server's request_policy tips.
type RequestPolicy uint8

const (
	RequestDefault    RequestPolicy = iota // the owner of the key; any primary when there is none
	RequestAllNodes                        // every node, replicas too
	RequestAllShards                       // every primary
	RequestMultiShard                      // may be split: the owner of each key gets its part
	RequestSpecial                         // none of these; the command needs code of its own, as SCAN
)

// ResponsePolicy says how several replies become one; the names are those of the server's response_policy tips.
type ResponsePolicy uint8

const (
	ResponseDefault      ResponsePolicy = iota // collect: in key order with keys, in any order without
	ResponseAllSucceeded                       // the first reply, or the first error if there is one
	ResponseOneSucceeded                       // the first reply that is no error
	ResponseSum
	ResponseMin
	ResponseMax
	ResponseAnd
	ResponseOr
	ResponseSpecial // no rule; the command needs code of its own
)

// ByName returns the command with this full name in upper case, such as "GET" or "CONFIG GET".
func ByName(name string) (*Command, bool) {
	h := hashSeed
	for i := range len(name) {
		h = hashByte(h, name[i])
	}
	for i := h % indexSize; index[i] != 0; i = (i + 1) % indexSize {
		if c := &table[index[i]-1]; c.Name == name {
			return c, true
		}
	}
	return nil, false
}

// All returns the commands sorted by name, containers included.
func All() iter.Seq[*Command] {
	return func(yield func(*Command) bool) {
		for i := range table {
			if !yield(&table[i]) {
				return
			}
		}
	}
}

// ReplicaSafe reports whether a replica may answer the command. It may for all that are flagged read-only, the _RO
// forms of scripts included. PFCOUNT is among them: the cardinality it caches inside the value is the replica's own
// copy. Not those whose answer each node has for itself, nor TOUCH, for it is the primary that evicts what is not used.
// Commands with an option that writes, such as SORT and GEORADIUS, are not, even without the option: a replica of a
// cluster redirects them by their flag.
func (c *Command) ReplicaSafe() bool { return c.Flags&(ReadOnly|PrimaryOnly) == ReadOnly }

// Repeatable reports whether running the call a second time does no harm, so that it may be sent again when the
// connection ended before its reply came. It is careful: a command that reads and writes, such as GETEX or XREADGROUP,
// is not, nor is a script that may write.
func (c *Command) Repeatable(a Args) bool {
	switch {
	case c.Flags&(ReadOnly|SideEffectFree) != 0:
		return true
	case c.Flags.Has(WritesToStore):
		var few [4]int
		keys, err := c.AppendKeys(few[:0], a)
		return err == nil && len(keys) == 1
	}
	return false
}

// SlotArg returns the slot number that a call such as CLUSTER COUNTKEYSINSLOT names, the slot whose owner can answer
// it. It returns false for other commands, and for an argument that is no slot.
func (c *Command) SlotArg(a Args) (slot uint16, ok bool) {
	const slots = 16384
	if c.slot == 0 || c.slot >= a.Len() {
		return 0, false
	}
	n, ok := parseInt(a.At(c.slot))
	if !ok || n < 0 || n >= slots {
		return 0, false
	}
	return uint16(n), true
}
