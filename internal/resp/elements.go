package resp

// Elements splits the frame of an array, a set or a push into the frames of its elements, without copying. ok is false
// for any other frame, and for a streamed aggregate, which no server sends.
func Elements(frame []byte) (elems [][]byte, ok bool) {
	d := newDecoder(frame)
	h, err := d.valueHead(0)
	if err != nil || h.form != aggregate || h.n < 0 || h.n > d.room {
		return nil, false
	}
	elems = make([][]byte, 0, h.n)
	var s Scanner
	for rest := frame[d.pos:]; len(elems) < h.n; {
		n, err := s.Scan(rest)
		if err != nil || n == 0 {
			return nil, false
		}
		elems = append(elems, rest[:n:n])
		rest = rest[n:]
	}
	return elems, true
}
