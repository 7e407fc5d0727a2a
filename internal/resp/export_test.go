package resp

// Footprint returns the bytes of memory that an emptied request still holds in its largest part.
func (r *Request) Footprint() int {
	return max(cap(r.mem.buf), cap(r.mem.args)*16, cap(r.mem.keys)*8)
}
