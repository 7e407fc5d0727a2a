package resp

// Footprint returns the bytes of memory that an emptied request still holds in its largest part.
func (r *Request) Footprint() int { return max(cap(r.buf), cap(r.args)*16, cap(r.keys)*8) }
