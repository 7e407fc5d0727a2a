package spec

// keySpec says where some keys of a command stand; a command has up to three.
type keySpec struct {
	form keyForm
	// first is the argument where the search begins.
	first int
	// last is, for keysRange, the last argument that may be a key: 0 is first itself, a negative one counts from the
	// end, -1 being the last argument.
	last int
	// step is the distance of one key to the next; 0 is 1.
	step int
}

type keyForm uint8

const (
	keysRange    keyForm = iota // arguments first to last
	keysCounted                 // argument first says how many keys follow it
	keysStreams                 // half of what follows the option STREAMS
	keysStore                   // what follows the last option STORE, as SORT has it
	keysGeoStore                // what follows the last option STORE or STOREDIST, as GEORADIUS has it
	keysMigrate                 // argument first, or when that is empty, all that follow the option KEYS
)

// HasKeys reports whether calls of the command have keys, or may have some.
func (c *Command) HasKeys() bool { return len(c.keys) > 0 }

// AppendKeys appends the positions of the call's keys to dst in ascending order, each once, and returns the result. A
// call whose arguments are too few, or contradict themselves, gives dst as it was and a *KeyError. Positions for a
// command with the flag RouteOnly are those of what its slot comes from.
func (c *Command) AppendKeys(dst []int, a Args) ([]int, error) {
	if len(c.keys) == 0 {
		return dst, nil
	}
	if !c.fits(a.Len()) {
		return dst, &KeyError{Command: c.Name, Problem: "has too few or too many arguments to tell which are keys"}
	}
	out := dst
	for i := range c.keys {
		var problem string
		if out, problem = c.keys[i].appendTo(out, a, c.Flags.Has(NoKeysAllowed)); problem != "" {
			return dst, &KeyError{Command: c.Name, Problem: problem}
		}
	}
	return out, nil
}

func (k *keySpec) appendTo(dst []int, a Args, mayBeNone bool) (_ []int, problem string) {
	switch k.form {
	case keysCounted:
		return k.appendCounted(dst, a, mayBeNone)
	case keysStreams:
		return appendStreams(dst, a, k.first)
	case keysStore:
		return appendOption(dst, sortStore(a, k.first)), ""
	case keysGeoStore:
		return appendOption(dst, geoStore(a, k.first)), ""
	case keysMigrate:
		return appendMigrate(dst, a, k.first)
	}
	last := k.last
	switch {
	case last == 0:
		last = k.first
	case last < 0:
		last += a.Len()
	}
	return appendRange(dst, k.first, min(last, a.Len()-1), k.step), ""
}

func appendRange(dst []int, first, last, step int) []int {
	step = max(step, 1)
	for i := first; i <= last; i += step {
		dst = append(dst, i)
	}
	return dst
}

func (k *keySpec) appendCounted(dst []int, a Args, mayBeNone bool) (_ []int, problem string) {
	n, ok := parseInt(a.At(k.first))
	step := max(k.step, 1)
	room := (a.Len() - k.first - 1 + step - 1) / step
	switch {
	case !ok:
		return dst, "has a number of keys that is no number"
	case n < 0:
		return dst, "has a negative number of keys"
	case n == 0 && !mayBeNone:
		return dst, "has 0 as its number of keys, but needs at least one"
	case n > room:
		return dst, "has a number of keys greater than the arguments that follow"
	}
	return appendRange(dst, k.first+1, k.first+1+(n-1)*step, step), ""
}

// appendOption appends the position of an option's value, if the option was there.
func appendOption(dst []int, at int) []int {
	if at == 0 {
		return dst
	}
	return append(dst, at)
}

// streamOptions reads the options of XREAD and XREADGROUP from argument first on, word by word as the server does,
// since a group or consumer may be called STREAMS too. It returns the position behind the word STREAMS and that of the
// value of BLOCK; 0 when the call has none.
func streamOptions(a Args, first int) (streams, block int) {
	for i := first; i < a.Len(); i++ {
		switch word := a.At(i); {
		case equalUpper("STREAMS", word):
			return i + 1, block
		case equalUpper("BLOCK", word):
			i++
			block = i
		case equalUpper("COUNT", word), equalUpper("CLAIM", word):
			i++
		case equalUpper("GROUP", word):
			i += 2
		case equalUpper("NOACK", word):
		default:
			return 0, block
		}
	}
	return 0, block
}

func appendStreams(dst []int, a Args, first int) (_ []int, problem string) {
	streams, _ := streamOptions(a, first)
	if streams == 0 {
		return dst, "lacks STREAMS"
	}
	rest := a.Len() - streams
	if rest == 0 || rest%2 != 0 {
		return dst, "needs one ID for each key behind STREAMS"
	}
	return appendRange(dst, streams, streams+rest/2-1, 1), ""
}

// sortStore returns where the destination of SORT stands, 0 if there is none. The last STORE counts. It skips the
// values of LIMIT, BY and GET but not those of STORE: so do the servers when they look for keys.
func sortStore(a Args, first int) int {
	at := 0
	for i := first; i < a.Len(); i++ {
		switch word := a.At(i); {
		case equalUpper("LIMIT", word):
			i += 2
		case equalUpper("BY", word), equalUpper("GET", word):
			i++
		case equalUpper("STORE", word) && i+1 < a.Len():
			at = i + 1
		}
	}
	return at
}

// geoStore returns where the destination of GEORADIUS stands, 0 if there is none: the last STORE or STOREDIST counts.
func geoStore(a Args, first int) int {
	at := 0
	for i := first; i+1 < a.Len(); i++ {
		if word := a.At(i); equalUpper("STORE", word) || equalUpper("STOREDIST", word) {
			i++
			at = i
		}
	}
	return at
}

// appendMigrate appends the one key at first, or, when that is empty, all that follow the option KEYS. Without that
// option an empty key is a key like any other.
func appendMigrate(dst []int, a Args, first int) (_ []int, problem string) {
	const options = 6 // MIGRATE host port key db timeout [options]
	keys := 0
	for i := options; i < a.Len() && keys == 0; i++ {
		switch word := a.At(i); {
		case equalUpper("AUTH", word):
			i++
		case equalUpper("AUTH2", word):
			i += 2
		case equalUpper("KEYS", word):
			keys = i + 1
		}
	}
	switch {
	case keys == 0:
		return append(dst, first), ""
	case len(a.At(first)) > 0:
		return dst, "has a key and the option KEYS, but takes only one of them"
	case keys == a.Len():
		return dst, "lacks the keys behind KEYS"
	}
	return appendRange(dst, keys, a.Len()-1, 1), ""
}

// parseInt reads an integer as the servers do: no sign but "-", no leading zeros, no spaces.
func parseInt(b []byte) (n int, ok bool) {
	const digits = 9 // enough for any count of arguments, and never an overflow
	digit := b
	if len(b) > 1 && b[0] == '-' {
		digit = b[1:]
	}
	if len(digit) == 0 || digit[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for i, d := range digit {
		if d < '0' || d > '9' {
			return 0, false
		}
		if i < digits {
			n = n*10 + int(d-'0')
		}
	}
	if len(digit) != len(b) {
		n = -n
	}
	return n, true
}
