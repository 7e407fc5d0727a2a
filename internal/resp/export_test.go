package resp

// Footprint returns the bytes of memory that an emptied request still holds in its largest part.
func (r *Request) Footprint() int {
	return max(cap(r.mem.buf), cap(r.mem.args)*16, cap(r.mem.keys)*8)
}

// NewRequests returns memory of which so many bytes are there for requests.
func NewRequests(size int) *Requests { return &Requests{buf: make([]byte, 0, size)} }
