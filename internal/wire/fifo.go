package wire

// fifo is the queue of calls whose replies are still to come, oldest first.
type fifo struct {
	ring []*Call // length is a power of two
	head int
	n    int
}

func (q *fifo) len() int { return q.n }

func (q *fifo) at(i int) *Call { return q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *fifo) push(c *Call) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = c
	q.n++
}

func (q *fifo) pop() *Call {
	c := q.ring[q.head]
	q.ring[q.head] = nil
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return c
}

// replace puts another call in the place of the i-th oldest.
func (q *fifo) replace(i int, c *Call) { q.ring[(q.head+i)&(len(q.ring)-1)] = c }

// remove takes out the i-th oldest call.
func (q *fifo) remove(i int) {
	mask := len(q.ring) - 1
	for ; i < q.n-1; i++ {
		q.ring[(q.head+i)&mask] = q.ring[(q.head+i+1)&mask]
	}
	q.n--
	q.ring[(q.head+q.n)&mask] = nil
}

func (q *fifo) grow() {
	ring := make([]*Call, max(16, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = q.at(i)
	}
	q.ring, q.head = ring, 0
}
