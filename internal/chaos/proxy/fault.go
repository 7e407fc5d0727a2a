package proxy

import "time"

// Fault is what happens to the connections of clients, those present and those to come, until another one is set. Its
// parts may be combined; the zero Fault is none.
//
// A stall is Hold for a while. A peer that vanished without a word is Hold of Both, then Front.Reset, then the zero Fault.
type Fault struct {
	// Refuse closes the listener: dials are refused, those of other servers too. Connections present stay, and the port
	// is listened on again once this is over.
	Refuse bool
	// Silent accepts new connections and never answers them, whatever is set later: the server does not see them.
	Silent bool
	// Hold keeps back what goes in these directions. Requests is a network that swallows what clients send, Replies one
	// that swallows the answers (half-open), Both a black hole; a new connection is accepted and waits. What was held
	// is delivered when the fault is over, as a kernel sends again what was lost, but nothing of a client that has
	// meanwhile reset its connection; its server sees the reset at once.
	Hold Direction
	// Latency is how much later each piece of a reply arrives. Requests are not delayed: a delayed one could run after
	// what its client sends on another connection later.
	Latency time.Duration
	// Trickle, if above 0, is how many bytes of replies pass in each millisecond.
	Trickle int
	// Cut ends connections after some of their bytes.
	Cut Cut
}

// Direction is one way through a connection, or both.
type Direction uint8

// The two ways.
const (
	Requests Direction = 1 << iota // from the client to the server
	Replies                        // from the server to the client
	Both     = Requests | Replies
)

// End is how a connection is ended.
type End uint8

// The ways to end a connection, as the client sees it.
const (
	None   End = iota
	Reset      // RST: what it had not read yet may be lost too
	Finish     // FIN, behind everything that has passed
)

// Cut ends each connection once it has passed some more bytes: with a byte count inside a reply, in the middle of it.
type Cut struct {
	How End // None: no cut
	// Of is the direction whose bytes count: Replies, which the zero value means too, or Requests, where the server
	// gets a command in part.
	Of Direction
	// After returns how many bytes may pass: asked once for each connection, for those present too, whose bytes count from
	// the setting of the fault on. Calls come one at a time, and must not call the Front. nil: at once, with the first byte.
	After func() int64
}

// Counts are what a Front has seen of clients since Listen.
type Counts struct {
	Dials    int   // connections accepted and told to be a client's; refused ones are not seen
	Open     int   // of these, those that are open now
	Requests int64 // bytes delivered to the server
	Replies  int64 // bytes delivered to clients
}
