package spec

// The index of the table is a hash table in the binary's read-only data: nothing is built at start-up, and looking up a
// command allocates nothing. The hash is FNV-1a over the upper-case name; the generator fills the index by the same
// rule: collisions go to the next free place, 0 means free, n is row n-1.
const (
	hashSeed  uint32 = 2166136261
	hashPrime uint32 = 16777619
)

func hashByte(h uint32, b byte) uint32 { return (h ^ uint32(b)) * hashPrime }

func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - ('a' - 'A')
	}
	return b
}

// Lookup returns the row of the call's command, in any mix of upper and lower case, and false for a command that the
// table does not know. For a container it looks at the subcommand as well; if that is missing or unknown, Lookup
// returns the container's own row, which is careful: no flag says that the call only reads, and it is refused if the
// container is one of those whose unknown subcommands may change the state of a connection.
func Lookup(a Args) (*Command, bool) {
	if a.Len() == 0 {
		return nil, false
	}
	name := a.At(0)
	h := hashUpper(hashSeed, name)
	c := find(h, name, nil)
	if c == nil {
		return nil, false
	}
	if !c.Flags.Has(Container) || a.Len() == 1 {
		return c, true
	}
	sub := a.At(1)
	if s := find(hashUpper(hashByte(h, ' '), sub), name, sub); s != nil {
		return s, true
	}
	return c, true
}

func hashUpper(h uint32, word []byte) uint32 {
	for _, b := range word {
		h = hashByte(h, upper(b))
	}
	return h
}

// find returns the row of the command word, or of its subcommand sub unless that is empty. h is the hash of the name.
func find(h uint32, word, sub []byte) *Command {
	for i := h % indexSize; index[i] != 0; i = (i + 1) % indexSize {
		if c := &table[index[i]-1]; c.called(word, sub) {
			return c
		}
	}
	return nil
}

func (c *Command) called(word, sub []byte) bool {
	if len(sub) == 0 {
		return c.Words == 1 && equalUpper(c.Name, word)
	}
	n := len(word)
	return c.Words == 2 && len(c.Name) == n+1+len(sub) && c.Name[n] == ' ' &&
		equalUpper(c.Name[:n], word) && equalUpper(c.Name[n+1:], sub)
}

// equalUpper reports whether s equals the upper-case name, letters in either case.
func equalUpper(name string, s []byte) bool {
	if len(name) != len(s) {
		return false
	}
	for i, b := range s {
		if name[i] != upper(b) {
			return false
		}
	}
	return true
}
