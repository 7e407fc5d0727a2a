package keyslottest

import (
	"crypto/tls"
	"fmt"
	"time"
)

// Options shapes a cluster. The zero value is a cluster of three primaries without replicas, password or TLS, whose
// clock is the real one.
type Options struct {
	// Shards is the number of primaries, which share the 16384 slots evenly; 0 means 3.
	Shards int
	// Replicas is the number of replicas of each primary.
	Replicas int

	// Standalone turns cluster mode off: one primary with its replicas, which know nothing of slots. They refuse
	// CLUSTER, READONLY and ASKING, take keys of any slots together, and replicas answer reads unasked. There is one
	// database, as in cluster mode. Shards must be 0 or 1, and what is about slots changes nothing.
	Standalone bool

	// Username and Password are what clients have to present with AUTH or HELLO; an empty Password asks for nothing, an
	// empty Username is the user "default".
	Username, Password string
	// TLS, when set, is the server side of every connection; it needs a certificate.
	TLS *tls.Config

	// Announce is how nodes name themselves in CLUSTER SLOTS and in redirects. They always listen on 127.0.0.1.
	Announce Announce
	// Hostname is the name that AnnounceHostname gives to every node; empty means "localhost".
	Hostname string

	// PartialCoverage lets the cluster serve the slots it has while others have no owner or a stopped one
	// (cluster-require-full-coverage no). Without it, as by default on a server, all keys are refused with CLUSTERDOWN.
	PartialCoverage bool
	// RESP2Only makes HELLO an unknown command, as on servers before version 6.
	RESP2Only bool
	// ManualClock stops the clock at the time of Start: keys expire only by AdvanceClock. Timeouts of blocking commands
	// and delays of faults always run on the real clock.
	ManualClock bool
	// StepPause is the pause after every step (a key moved, a slot handed over) of MoveSlots, RemoveShard and
	// Rebalance; 0 means none. It decides how long slots stay between two nodes.
	StepPause time.Duration
}

// Announce is the form of the address that a node gives of itself.
type Announce int

// The forms a server can be configured to use. All but AnnounceIP are traps for clients.
const (
	// AnnounceIP gives 127.0.0.1 (cluster-preferred-endpoint-type ip).
	AnnounceIP Announce = iota
	// AnnounceHostname gives Options.Hostname, and the IP as metadata (type hostname).
	AnnounceHostname
	// AnnounceNoHostname gives "?", and the IP as metadata (type hostname without a name to announce).
	AnnounceNoHostname
	// AnnounceEmpty gives an empty name, as a node does that never learned its own IP: the host asked is meant.
	AnnounceEmpty
	// AnnounceUnknown gives NULL, in redirects an empty name, and the IP as metadata (type unknown-endpoint): the host
	// asked is meant.
	AnnounceUnknown
)

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Shards == 0 && o.Standalone:
		o.Shards = 1
	case o.Shards == 0:
		o.Shards = 3
	}
	if o.Hostname == "" {
		o.Hostname = "localhost"
	}
	if o.Username == "" {
		o.Username = "default"
	}
	switch {
	case o.Shards < 0 || o.Shards > maxNodes || o.Replicas < 0 || o.Shards*(1+o.Replicas) > maxNodes:
		return o, fmt.Errorf("keyslottest: %d shards with %d replicas each: a cluster has 1 to %d nodes", o.Shards, o.Replicas, maxNodes)
	case o.Standalone && o.Shards > 1:
		return o, fmt.Errorf("keyslottest: %d shards: without cluster mode there is one", o.Shards)
	case o.Announce < AnnounceIP || o.Announce > AnnounceUnknown:
		return o, fmt.Errorf("keyslottest: unknown Announce %d", o.Announce)
	case o.StepPause < 0:
		return o, fmt.Errorf("keyslottest: negative StepPause %v", o.StepPause)
	}
	return o, nil
}

// mode is what the servers call themselves.
func (o Options) mode() string {
	if o.Standalone {
		return "standalone"
	}
	return "cluster"
}

// maxNodes keeps a typing mistake from eating the machine's ports: every node has a listener.
const maxNodes = 1000
