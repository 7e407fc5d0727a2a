package keyslot

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// attempt is how one send of one command failed, and what has to be known of the command to judge it.
type attempt struct {
	slot       int    // the slot we routed by, or -1
	pinned     bool   // it may go to one node only
	repeatable bool   // running it twice is as good as once
	script     bool   // EVAL, FCALL ...: an error reply may be the script's own text, and may follow partial effects
	reads      bool   // with script: EVAL_RO, FCALL_RO ...: there are no effects
	discarded  bool   // it was a transaction of which nothing ran, whatever the refusal says
	refusal    string // the server's error reply
	err        error  // why there is no reply at all; nil if there is one
	sent       bool   // with err: the whole request was accepted by Write
}

// action is what the attempt loop does next with a command.
type action uint8

const (
	finish    action = iota // tell the caller
	follow                  // send it to verdict.target, at once
	again                   // send it to the node that the map names, after a pause
	askAgain                // send it again after a pause: after an ASK to the same node, ASKING, else to the one that the map names
	redial                  // send it to the same node on a new connection, once
	elsewhere               // a replica did not answer it: send it to another node of the shard
)

// pause is how long the loop waits before a command is sent again.
type pause uint8

const (
	noPause      pause = iota
	tryAgainWait       // 5 -> 200 ms: keys of one command are on both sides of a migration
	clusterWait        // 50 -> 500 ms: the node or the cluster will not serve for a while
	replicasWait       // 100 ms -> 1 s: too few replicas for a write
)

// verdict is what an attempt means. executed holds when the action is finish, or when no time is left to do better.
type verdict struct {
	action   action
	pause    pause
	executed Outcome
	refresh  bool // the map may be out of date
	ask      bool // follow: the redirect is ASK, for this once
	moved    bool // elsewhere: the replica said MOVED
	target   target
}

// target is where a redirect points. An empty host stands for the host, and port 0 for the port, of the connection that
// the redirect came from.
type target struct {
	slot uint16
	host string
	port int
}

// node is the node that a redirect from another one names.
func (t target) node(from Node) Node {
	return Node{Host: cmp.Or(t.host, from.Host), Port: cmp.Or(t.port, from.Port)}
}

// ofReplica is what a verdict on a read means where a replica gave it: whatever the replica would not or could not do,
// its primary may, at once. Only the word of a migration, and what the caller has to hear, is good from any node.
func (v verdict) ofReplica() verdict {
	if v.action == finish || v.action == follow && v.ask {
		return v
	}
	v.moved = v.action == follow
	v.action = elsewhere
	if v.pause != tryAgainWait {
		v.pause = noPause
	}
	return v
}

// classify decides what an attempt means. It is pure: the same attempt always gets the same verdict.
//
// The server makes all its refusals before it runs a command (valkey server.c, processCommand), so a refusal proves "not
// executed". Only such a refusal, or a request not sent whole, lets a command that changes something be sent again.
func classify(a attempt) verdict {
	if a.err != nil {
		return classifyLost(a)
	}
	code, text, _ := strings.Cut(a.refusal, " ")
	if code == "MOVED" || code == "ASK" {
		return classifyRedirect(a, code, text)
	}
	for _, r := range refusals {
		if r.provenBy(a, code, text) {
			return r.verdict
		}
	}
	switch {
	case a.script && a.reads:
		return verdict{action: finish, executed: Answered}
	case a.script:
		return tellUnknown // it may have run half-way
	}
	for _, r := range innerRefusals {
		if r.provenBy(a, code, text) {
			return r.verdict
		}
	}
	if a.discarded {
		return tellCaller
	}
	return verdict{action: finish, executed: Answered}
}

// classifyLost judges an attempt without a reply. What was not sent whole never runs, whatever happens later.
func classifyLost(a attempt) verdict {
	v := verdict{action: again, executed: ranIf(a.sent), refresh: true}
	var dial *wire.DialError
	switch {
	case errors.As(a.err, &dial), errors.Is(a.err, errNoOwner), errors.Is(a.err, errNoReplica):
		v.pause = clusterWait
	case isPatience(a.err):
		v.action, v.refresh = finish, false
	}
	if a.sent && !a.repeatable {
		v.action = finish
	}
	return v
}

// ranIf returns what is known of a command without a reply.
func ranIf(sent bool) Outcome {
	if sent {
		return Unknown
	}
	return NotExecuted
}

// classifyRedirect judges MOVED and ASK. A redirect is followed only if it is one by the strict grammar and names the slot
// we routed by: a script may return any text as an error, and a wrong address would take the command with it. One that names
// another slot proves nothing at all: it is a script's, or the answer to somebody else on a stream that is out of step.
func classifyRedirect(a attempt, code, text string) verdict {
	to, ok := parseRedirect(text)
	switch {
	case !ok, int(to.slot) != a.slot:
		return tellUnknown
	case a.pinned:
		return tellCaller
	case to.host == "?": // the server does not know the name its peer wants to be called by
		return waitForCluster
	}
	return verdict{action: follow, executed: NotExecuted, ask: code == "ASK", refresh: code == "MOVED", target: to}
}

// parseRedirect reads what follows MOVED or ASK: "<slot> <host>:<port>". The host is everything before the last colon,
// for an IPv6 address comes without brackets; it may be empty.
func parseRedirect(text string) (target, bool) {
	slot, addr, ok := strings.Cut(text, " ")
	colon := strings.LastIndexByte(addr, ':')
	if !ok || colon < 0 {
		return target{}, false
	}
	n, ok := decimal(slot, slotCount-1)
	port, ok2 := decimal(addr[colon+1:], 65535)
	host := addr[:colon]
	isName := host == "?" || len(host) <= maxHost && strings.Trim(host, alphanumerics+"-._:%") == ""
	if !ok || !ok2 || !isName {
		return target{}, false
	}
	return target{slot: uint16(n), host: host, port: port}, true
}

// decimal reads a number as a server writes it: digits only, no leading zero, at most limit.
func decimal(s string, limit int) (int, bool) {
	if s == "" || len(s) > 5 || len(s) > 1 && s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= limit
}

// refusal is an error reply by which the server says that it did not run the command.
type refusal struct {
	code    string // first word of the reply
	words   string // the server's own words behind it, or the part of them that no other reply has
	verdict verdict
}

var (
	waitForCluster = verdict{action: again, pause: clusterWait, executed: NotExecuted, refresh: true}
	waitForNode    = verdict{action: again, pause: clusterWait, executed: NotExecuted}
	waitForKeys    = verdict{action: askAgain, pause: tryAgainWait, executed: NotExecuted}
	waitForReplica = verdict{action: again, pause: replicasWait, executed: NotExecuted}
	newConnection  = verdict{action: redial, executed: NotExecuted}
	tellCaller     = verdict{action: finish, executed: NotExecuted}
	tellUnknown    = verdict{action: finish, executed: Unknown}
)

// refusals lists the refusals, by code; the first that matches counts. For a plain command the code is proof enough,
// and the row without words catches what later servers may say. A script can return any text as an error: for it only
// the rows with words count.
var refusals = [...]refusal{
	{"TRYAGAIN", "Multiple keys request during rehashing of slot", waitForKeys},
	{"TRYAGAIN", "", waitForKeys},
	{"CLUSTERDOWN", "Hash slot not served", waitForCluster},
	{"CLUSTERDOWN", "The cluster is down", waitForCluster},
	{"CLUSTERDOWN", "", waitForCluster},
	{"LOADING", "is loading the dataset in memory", waitForCluster},
	{"LOADING", "", waitForCluster},
	{"MASTERDOWN", "Link with MASTER is down", waitForCluster},
	{"MASTERDOWN", "", waitForCluster},
	{"READONLY", "You can't write against a read only replica.", waitForCluster},
	{"READONLY", "Can not run script with write flag", waitForCluster},
	{"READONLY", "", waitForCluster},
	{"UNBLOCKED", "force unblock", waitForCluster},
	{"UNBLOCKED", "", tellCaller},
	{"NOREPLICAS", "Not enough good replicas to write.", waitForReplica},
	{"NOREPLICAS", "", waitForReplica},
	{"BUSY", "is busy running a script", waitForNode},
	{"BUSY", "is busy running a module", waitForNode},
	{"BUSY", "", waitForNode},
	{"NOAUTH", "Authentication required.", newConnection},
	{"NOAUTH", "", newConnection},
	{"NOSCRIPT", "No matching script", tellCaller},
	{"ERR", "Error compiling script (new function): ", tellCaller},
	{"NOSCRIPT", "", tellCaller},
	{"CROSSSLOT", "Keys in request don't hash to the same slot", tellCaller}, // to what a script calls it has other words
	{"CROSSSLOT", "", tellCaller},
	{"MISCONF", "Writable scripts are blocked.", tellCaller},
	{"MISCONF", "", tellCaller},
	{"OOM", "allow-oom flag is not set on the script", tellCaller},
	{"OOM", "", tellCaller},
	{"NOPERM", "has no permissions to run the 'eval", tellCaller}, // no script may call one
	{"NOPERM", "has no permissions to run the 'fcall", tellCaller},
	{"NOPERM", "no permissions to access one of the keys used as arguments", tellCaller}, // until Redis 7.0
	{"NOPERM", "No permissions to access a key", tellCaller},
	{"NOPERM", "", tellCaller},
	{"EXECABORT", "", tellCaller},
	{"WRONGPASS", "", tellCaller},
	{"NOPROTO", "", tellCaller},
	{"DENIED", "", tellCaller},
	{"IOERR", "", tellUnknown}, // MIGRATE: the third node may have the key
	{"ERR", "max number of clients", waitForNode},
	{"ERR", "Protocol error: ", tellCaller}, // the connection ends with it
	{"ERR", "unknown command", tellCaller},
	{"ERR", "wrong number of arguments for 'eval", tellCaller},
	{"ERR", "wrong number of arguments for 'fcall", tellCaller},
	{"ERR", "This instance has cluster support disabled", tellCaller},
	{"ERR", "Function not found", tellCaller},
	{"ERR", "Can not execute a script with write flag using *_ro command.", tellCaller},
	{"ERR", "Can not run script on cluster, 'no-cluster' flag is set.", tellCaller},
	{"ERR", "in script shebang: ", tellCaller}, // a flag or an engine
	{"ERR", "Invalid script shebang", tellCaller},
	{"ERR", "Unknown lua shebang option: ", tellCaller},
	{"ERR", "Number of keys can't be negative", tellCaller},
	{"ERR", "Bad number of keys provided", tellCaller},
}

// innerRefusals are said by commands that a script calls, too: HSET with an odd number of arguments, for instance. A
// script that catches one with pcall and returns it may have written before, and the server puts no " script: " behind it.
var innerRefusals = [...]refusal{
	{"ERR", "unknown subcommand", tellCaller},
	{"ERR", "wrong number of arguments", tellCaller},
	{"ERR", "SELECT is not allowed in cluster mode", tellCaller},
}

// provenBy reports whether a reply is this refusal. An error raised inside a script, which may follow partial effects,
// is marked with " script: " by the server.
func (r refusal) provenBy(a attempt, code, text string) bool {
	if r.code != code || !strings.Contains(text, r.words) {
		return false
	}
	return !a.script || r.words != "" && !strings.Contains(text, " script: ")
}
