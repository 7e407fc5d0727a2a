package command

import "github.com/keyslot-go/keyslot/internal/resp"

// Side is an end of a list: Left or Right.
type Side string

// The ends of a list.
const (
	Left  Side = "LEFT"  // its front, where LPush adds
	Right Side = "RIGHT" // its end, where RPush adds
)

func (s Side) encode(c *Call) { c.Request.Arg(string(s)) }

// Popped is an element and the key of the list it was taken from.
type Popped struct{ Key, Element string }

// PoppedList is what LMPop and BLMPop return: elements, in the order in which they were taken, and the key of their list.
type PoppedList struct {
	Key      string
	Elements []string
}

// popped reads [key, element].
func popped(c *Call, p *packer) (out Popped, err error) {
	out.Key, out.Element, err = keyed(c, p, "a key and an element", textOf)
	return out, err
}

// poppedList reads [key, [element, element]].
func poppedList(c *Call, p *packer) (out PoppedList, err error) {
	out.Key, out.Elements, err = keyed(c, p, "a key and its elements", listOf(textOf))
	return out, err
}

// keyed reads an array of a key and what comes from it.
func keyed[T any](c *Call, p *packer, want string, of element[T]) (key string, value T, err error) {
	elems, ok := resp.Open(c.Frame)
	if !ok || elems.Left() != 2 {
		return "", value, c.mismatch(want)
	}
	p = c.packer(p)
	key, keyOK := next(&elems, p, textOf)
	value, ok = next(&elems, p, of)
	if !keyOK || !ok {
		return "", *new(T), c.mismatch(want)
	}
	return key, value, nil
}
