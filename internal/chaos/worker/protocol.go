package worker

import (
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// Order is one line from the driver. Its zero fields are left out.
type Order struct {
	Do      string   `json:"do"` // Open, Begin, Mark, Login, End or Close
	Options *Options `json:"options,omitempty"`
	Round   int      `json:"round,omitempty"`
	Mode    Mode     `json:"mode,omitzero"`
	Login   *Login   `json:"login,omitempty"`
}

// The orders. Each is answered by one Answer, in order.
const (
	// Open makes the client by Options. Answered once New has returned.
	Open = "open"
	// Begin starts the load of Round in Mode; the keys of the round carry its number. Answered once the values are in
	// place that reads will look for, when the first operation is about to be issued.
	Begin = "begin"
	// Mark asks for the time since Begin, by the clock of the records: when a nemesis began, or had healed.
	Mark = "mark"
	// SetLogin changes the credentials that connections log in with from now on.
	SetLogin = "login"
	// End stops the load, and is answered when every operation has returned and the file of records is closed.
	End = "end"
	// Close closes the client. Another Open may follow.
	Close = "close"
)

// Options say how the client is made. Durations of 0 are keyslot's defaults. In JSON a duration is nanoseconds.
type Options struct {
	Dir       string   `json:"dir"`       // where the files of records go
	Seed      uint64   `json:"seed"`      // of everything that is drawn
	Endpoints []string `json:"endpoints"` // keyslot.Options.Endpoints
	// Resolver is the address of the names.Server that resolves names. Empty: the system does.
	Resolver string `json:"resolver,omitempty"`
	CA       string `json:"ca,omitempty"` // authorities in PEM; not empty means TLS
	Login    *Login `json:"login,omitempty"`

	CommandTimeout time.Duration `json:"commandTimeout,omitempty"`
	DialTimeout    time.Duration `json:"dialTimeout,omitempty"`
	PeerTimeout    time.Duration `json:"peerTimeout,omitempty"`
	IdleProbe      time.Duration `json:"idleProbe,omitempty"`
	RefreshAfter   time.Duration `json:"refreshAfter,omitempty"`
	ConnsPerNode   int           `json:"connsPerNode,omitempty"`
}

// Login is a user and a password; an empty user is the default one.
type Login struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password"`
}

// Mode is how the load of a round differs from the usual one.
type Mode struct {
	// CancelStorm cancels most operations while they are under way, but none of those that have a connection to themselves.
	CancelStorm bool `json:"cancelStorm,omitempty"`
	// Focus are slots that a nemesis is about to move: a good part of all operations goes to some of them, which also
	// hold more keys, so that moving one takes longer.
	Focus []ledger.SlotRange `json:"focus,omitempty"`
	// Rate is operations a second, about; 0 means 3000.
	Rate int `json:"rate,omitempty"`
}

// Answer is one line from the worker.
type Answer struct {
	Did   string `json:"did"`             // the order
	Error string `json:"error,omitempty"` // why it could not be carried out

	At    time.Duration `json:"at,omitempty"`    // Mark: time since Begin
	File  string        `json:"file,omitempty"`  // End: records of the round, for ledger.ReadFile
	Signs ledger.Signs  `json:"signs,omitempty"` // End: what happened in the round
	// Lanes are how many goroutines the load has, numbered from 0. Begin and End.
	Lanes int `json:"lanes,omitempty"`
	// Beats are ledger.Round.Beats. End.
	Beats []time.Duration `json:"beats,omitempty"`
	// Violations are what the worker itself saw, such as a dial to an address that only a forged redirect named. End.
	Violations []string `json:"violations,omitempty"`
	// Resources are what the process holds, after a collection: before New for Open, with the load ended for End, with
	// the client closed for Close.
	Resources *ledger.Resources `json:"resources,omitempty"`
}
