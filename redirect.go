package keyslot

import (
	"errors"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// attempt is what one send of one command came back with, and what has to be known of the command to judge it.
type attempt struct {
	slot     int    // the slot we routed by, or -1
	readOnly bool   // running it twice is as good as once
	script   bool   // EVAL, FCALL ...: an error reply may be the script's own text, and may follow partial effects
	refusal  string // the server's error reply, empty if there is none
	err      error  // why there is no reply at all
	sent     bool   // with err: the whole request was accepted by Write
}

// action is what the attempt loop does next with a command.
type action uint8

const (
	finish   action = iota // tell the caller
	follow                 // send it to verdict.target, at once
	again                  // send it to the node that the map names, after a pause
	askAgain               // send it to the same node as before, ASKING if it was an ASK, after a pause
	redial                 // send it to the same node on a new connection, once
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
	target   target
}

// target is where a redirect points. An empty host stands for the host, and port 0 for the port, of the connection that
// the redirect came from.
type target struct {
	slot uint16
	host string
	port int
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
	switch code {
	case "":
		return verdict{action: finish, executed: Answered}
	case "MOVED", "ASK":
		return classifyRedirect(a, code, text)
	}
	for _, r := range refusals[code] {
		if r.provenBy(a, text) {
			return r.verdict
		}
	}
	if a.script {
		return verdict{action: finish, executed: Unknown}
	}
	return verdict{action: finish, executed: Answered}
}

// classifyLost judges an attempt without a reply. What was not sent whole never runs, whatever happens later.
func classifyLost(a attempt) verdict {
	v := verdict{action: again, executed: NotExecuted, refresh: true}
	var dial *wire.DialError
	if errors.As(a.err, &dial) || errors.Is(a.err, errNoOwner) {
		v.pause = clusterWait
	}
	if a.sent {
		v.executed = Unknown
		if !a.readOnly {
			v.action = finish
		}
	}
	return v
}

// classifyRedirect judges MOVED and ASK. A redirect is followed only if it is one by the strict grammar and names the
// slot we routed by: a script may return any text as an error, and a wrong address would take the command with it.
func classifyRedirect(a attempt, code, text string) verdict {
	to, ok := parseRedirect(text)
	switch {
	case !ok:
		return verdict{action: finish, executed: Unknown}
	case int(to.slot) != a.slot && a.script:
		return verdict{action: finish, executed: Unknown}
	case int(to.slot) != a.slot:
		return verdict{action: finish, executed: NotExecuted, refresh: true}
	case to.host == "?": // the server does not know the name its peer wants to be called by
		return verdict{action: again, pause: clusterWait, executed: NotExecuted, refresh: true}
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
	if !ok || !ok2 || strings.ContainsAny(host, " \t[]/@") {
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
	text    string // what follows the code in the server's own words, or a part of it that no other reply has
	verdict verdict
}

// provenBy reports whether the reply is this refusal. For a plain command the code is proof enough where text is empty.
// A script may return any text, and an error inside it may follow partial effects: the words must be the server's own,
// without the " script: " by which it marks an error raised inside a script.
func (r refusal) provenBy(a attempt, text string) bool {
	if a.script && (r.text == "" || strings.Contains(text, " script: ")) {
		return false
	}
	return strings.Contains(text, r.text)
}

var (
	waitForCluster = verdict{action: again, pause: clusterWait, executed: NotExecuted, refresh: true}
	waitForNode    = verdict{action: again, pause: clusterWait, executed: NotExecuted}
	tellCaller     = verdict{action: finish, executed: NotExecuted}
)

// refusals are the error replies that prove "not executed", by their first word; the first that matches counts.
var refusals = map[string][]refusal{
	"TRYAGAIN": {
		{"Multiple keys request during rehashing of slot", verdict{action: askAgain, pause: tryAgainWait, executed: NotExecuted}},
		{"", verdict{action: askAgain, pause: tryAgainWait, executed: NotExecuted}},
	},
	"CLUSTERDOWN": {{"The cluster is down", waitForCluster}, {"Hash slot not served", waitForCluster}, {"", waitForCluster}},
	"LOADING":     {{"is loading the dataset in memory", waitForCluster}, {"", waitForCluster}},
	"MASTERDOWN":  {{"Link with MASTER is down", waitForCluster}, {"", waitForCluster}},
	"READONLY":    {{"You can't write against a read only replica.", waitForCluster}, {"", waitForCluster}},
	"NOREPLICAS": {
		{"Not enough good replicas to write.", verdict{action: again, pause: replicasWait, executed: NotExecuted}},
		{"", verdict{action: again, pause: replicasWait, executed: NotExecuted}},
	},
	"BUSY": {{"is busy running a script", waitForNode}, {"is busy running a module", waitForNode}, {"", waitForNode}},
	"NOAUTH": {
		{"Authentication required.", verdict{action: redial, executed: NotExecuted}},
		{"", verdict{action: redial, executed: NotExecuted}},
	},
	"UNBLOCKED": {{"force unblock", waitForCluster}, {"", tellCaller}},
	"CROSSSLOT": {{"", tellCaller}},
	"MISCONF":   {{"", tellCaller}},
	"OOM":       {{"", tellCaller}},
	"NOPERM":    {{"", tellCaller}},
	"NOSCRIPT":  {{"No matching script", tellCaller}, {"", tellCaller}},
	"EXECABORT": {{"", tellCaller}},
	"WRONGPASS": {{"", tellCaller}},
	"NOPROTO":   {{"", tellCaller}},
	"DENIED":    {{"", tellCaller}},
	"IOERR":     {{"", verdict{action: finish, executed: Unknown}}},
	"ERR": {
		{"unknown command", tellCaller},
		{"unknown subcommand", tellCaller},
		{"wrong number of arguments", tellCaller},
		{"This instance has cluster support disabled", tellCaller},
		{"Command not allowed inside a transaction", tellCaller},
		{"Function not found", tellCaller},
		{"max number of clients", waitForNode},
		{"SELECT is not allowed in cluster mode", tellCaller},
	},
}
