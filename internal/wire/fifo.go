package wire

// fifo is the queue of calls whose replies are still to come, oldest first.
type fifo struct {
	ring []*Call // length is a power of two
	head int64   // calls taken out so far; the oldest one's place is the remainder
	n    int

	commands int   // of the calls, those that are not answered
	entered  int64 // commands that were ever pushed
}

func (q *fifo) len() int { return q.n }

// place returns where in the ring the i-th oldest call is, or will be.
func (q *fifo) place(i int) int { return (int(q.head) + i) & (len(q.ring) - 1) }

func (q *fifo) at(i int) *Call { return q.ring[q.place(i)] }

func (q *fifo) push(c *Call) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[q.place(q.n)] = c
	q.n++
	q.commands += c.Commands()
	q.entered += int64(c.Commands())
}

func (q *fifo) pop() *Call {
	first := q.place(0)
	c := q.ring[first]
	q.ring[first] = nil
	q.head++
	q.n--
	q.commands -= c.commandsOwed()
	return c
}

// answered notes n replies to the oldest call, or one to its ASKING.
func (q *fifo) answered(c *Call, n int) {
	if !c.isAsked() {
		q.commands -= n
	}
	c.owing -= int32(n)
}

// replace puts another call in the place of the i-th oldest.
func (q *fifo) replace(i int, c *Call) { q.ring[q.place(i)] = c }

// remove takes out the i-th oldest call.
func (q *fifo) remove(i int) {
	q.commands -= q.at(i).commandsOwed()
	for ; i < q.n-1; i++ {
		q.ring[q.place(i)] = q.at(i + 1)
	}
	q.n--
	q.ring[q.place(q.n)] = nil
}

func (q *fifo) grow() {
	old := *q
	q.ring = make([]*Call, max(16, 2*len(q.ring)))
	for i := range q.n {
		q.ring[q.place(i)] = old.at(i)
	}
}
