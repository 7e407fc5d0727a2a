package command

import "github.com/keyslot-go/keyslot/internal/resp"

// Elements are those of an array that came in parts, each in the memory of its part: to put them in one frame is to
// copy them once more. The zero value has none.
type Elements struct {
	all  []elementFrame
	size int // of all frames
}

// elementFrame is the frame of one of them.
type elementFrame struct {
	frame []byte
	own   bool // see Call.Own
}

// Add appends an element by its frame, which is valid for as long as that of a call. own is Call.Own of it.
func (e *Elements) Add(frame []byte, own bool) {
	e.all = append(e.all, elementFrame{frame, own})
	e.size += len(frame)
}

// Reset forgets all elements and keeps the memory of the list.
func (e *Elements) Reset() {
	clear(e.all)
	e.all, e.size = e.all[:0], 0
}

// value is valueOf for an array that came in parts. Short ones are joined: their strings share memory then.
func (e *Elements) value() (v resp.Value, err error) {
	if e.size <= resp.MaxShared {
		const header = 16
		frame := resp.AppendArray(make([]byte, 0, header+e.size), len(e.all))
		for i := range e.all {
			frame = append(frame, e.all[i].frame...)
		}
		return resp.Decode(frame)
	}
	v = resp.Value{Kind: resp.Array, Elems: make([]resp.Value, len(e.all))}
	for i := range e.all {
		if v.Elems[i], err = valueOf(e.all[i].frame, e.all[i].own); err != nil {
			return resp.Value{}, err
		}
	}
	return v, nil
}

// elementsOf is listOf for an array that came in parts.
func elementsOf[T any](e *Elements, p *packer, of element[T]) (out []T, ok bool) {
	out = make([]T, len(e.all))
	for i := range e.all {
		elem, p := &e.all[i], p
		if elem.own {
			p = asIs
		}
		if out[i], ok = of(elem.frame, p); !ok {
			return nil, false
		}
	}
	return out, true
}
