package keyslot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// The three kinds of commands that classify tells apart, as attempts that were routed by slot 866.
var (
	write  = attempt{slot: 866}
	read   = attempt{slot: 866, repeatable: true}
	script = attempt{slot: 866, script: true}
)

const sha = " script: 3a4c2fcc8f2b4b0f6e1a2f7ef1a1f4b9a3c9f8d1, on @user_script:1."

var (
	surface      = verdict{action: finish, executed: NotExecuted}
	surfaceRan   = verdict{action: finish, executed: Answered}
	surfaceMaybe = verdict{action: finish, executed: Unknown}
	onNextMap    = verdict{action: again, pause: clusterWait, executed: NotExecuted, refresh: true}
	onSameMap    = verdict{action: again, pause: clusterWait, executed: NotExecuted}
	sameNode     = verdict{action: askAgain, pause: tryAgainWait, executed: NotExecuted}
)

// refusalRows are the error replies of real servers, and what each means for a command without scripting and for EVAL.
var refusalRows = []struct {
	reply         string
	plain, script verdict
}{
	{"TRYAGAIN Multiple keys request during rehashing of slot", sameNode, sameNode},
	{"CROSSSLOT Keys in request don't hash to the same slot", surface, surface},

	{"CLUSTERDOWN Hash slot not served", onNextMap, onNextMap},
	{"CLUSTERDOWN The cluster is down", onNextMap, onNextMap},
	{"CLUSTERDOWN The cluster is down and only accepts read commands", onNextMap, onNextMap},
	{"LOADING Redis is loading the dataset in memory", onNextMap, onNextMap},
	{"LOADING Valkey is loading the dataset in memory", onNextMap, onNextMap},
	{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", onNextMap, onNextMap},
	{"READONLY You can't write against a read only replica.", onNextMap, onNextMap},
	{"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", onNextMap, onNextMap},
	{"UNBLOCKED client unblocked via CLIENT UNBLOCK", surface, surfaceMaybe},

	{"NOREPLICAS Not enough good replicas to write.",
		verdict{action: again, pause: replicasWait, executed: NotExecuted},
		verdict{action: again, pause: replicasWait, executed: NotExecuted}},
	{"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", onSameMap, onSameMap},
	{"BUSY Valkey is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.", onSameMap, onSameMap},
	{"BUSY Redis is busy running a module command.", onSameMap, onSameMap},

	{"NOAUTH Authentication required.",
		verdict{action: redial, executed: NotExecuted}, verdict{action: redial, executed: NotExecuted}},
	{"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used",
		verdict{action: redial, executed: NotExecuted}, surfaceMaybe},
	{"WRONGPASS invalid username-password pair or user is disabled.", surface, surfaceMaybe},
	{"NOPERM this user has no permissions to run the 'set' command", surface, surfaceMaybe},
	{"NOPERM User app has no permissions to run the 'set' command", surface, surfaceMaybe},
	{"NOPERM this user has no permissions to run the 'eval' command", surface, surface},
	{"NOPERM User app has no permissions to run the 'evalsha_ro' command", surface, surface},
	{"NOPERM User app has no permissions to run the 'fcall' command", surface, surface},
	{"NOPERM this user has no permissions to access one of the keys used as arguments", surface, surface},
	{"NOPERM No permissions to access a key", surface, surface},
	{"NOPERM ACL failure in script: No permissions to access a key", surface, surfaceMaybe}, // Redis 7.2, of a call, caught and returned
	{"ERR ACL failure in script: User app has no permissions to run the 'set' command", surfaceRan, surfaceMaybe},
	{"NOPROTO unsupported protocol version", surface, surfaceMaybe},
	{"DENIED Running in protected mode because protected mode is enabled and no password is set for the default user.", surface, surfaceMaybe},

	{"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", surface, surfaceMaybe},
	{"MISCONF Errors writing to the AOF file: No space left on device", surface, surfaceMaybe},
	{"OOM command not allowed when used memory > 'maxmemory'.", surface, surfaceMaybe},
	{"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
		"Writable scripts are blocked. Use 'no-writes' flag for read only scripts.", surface, surface},
	{"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'", surface, surface},
	{"ERR Can not execute a script with write flag using *_ro command.", surface, surface},
	{"ERR Can not run script on cluster, 'no-cluster' flag is set.", surface, surface},
	{"ERR Unexpected flag in script shebang: no-write", surface, surface},
	{"ERR Invalid script shebang", surface, surface},
	{"ERR Unknown lua shebang option: flag=x", surface, surface},
	{"ERR Number of keys can't be negative", surface, surface},
	{"ERR Bad number of keys provided", surface, surface},
	{"ERR Write commands are not allowed from read-only scripts.", surfaceRan, surfaceMaybe},
	{"NOSCRIPT No matching script. Please use EVAL.", surface, surface},
	{"ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'", surface, surface},
	{"ERR Function not found", surface, surface},
	{"EXECABORT Transaction discarded because of previous errors.", surface, surfaceMaybe},
	{"EXECABORT Transaction discarded because of: BUSY Redis is busy running a script.", surface, surfaceMaybe},

	{"ERR unknown command 'FOO', with args beginning with: 'a' ", surface, surface},
	{"ERR unknown subcommand 'FOO'. Try OBJECT HELP.", surface, surfaceMaybe},
	{"ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.", surface, surfaceMaybe},
	{"ERR wrong number of arguments for 'hset' command", surface, surfaceMaybe},
	{"ERR wrong number of arguments for 'evalsha' command", surface, surface},
	{"ERR wrong number of arguments for 'fcall_ro' command", surface, surface},
	{"ERR This instance has cluster support disabled", surface, surface},
	{"ERR SELECT is not allowed in cluster mode", surface, surfaceMaybe},
	{"ERR Protocol error: invalid bulk length", surface, surface},
	{"ERR max number of clients + cluster connections reached", onSameMap, onSameMap},
	{"ERR max number of clients reached", onSameMap, onSameMap},

	{"WRONGTYPE Operation against a key holding the wrong kind of value", surfaceRan, surfaceMaybe},
	{"BUSYKEY Target key name already exists.", surfaceRan, surfaceMaybe},
	{"BUSYGROUP Consumer Group name already exists", surfaceRan, surfaceMaybe},
	{"NOGROUP No such key 'k' or consumer group 'g'", surfaceRan, surfaceMaybe},
	{"INVALIDOBJ Corrupted object", surfaceRan, surfaceMaybe},
	{"NOMASTERLINK Can't SYNC while not connected with my master", surfaceRan, surfaceMaybe},
	{"UNKILLABLE Sorry the script already executed write commands against the dataset.", surfaceRan, surfaceMaybe},
	{"NOTBUSY No scripts in execution right now.", surfaceRan, surfaceMaybe},
	{"NOSUB 'unsubscribe' command executed not in subscribed mode", surfaceRan, surfaceMaybe},
	{"REDIRECT 10.0.0.1:6379", surfaceRan, surfaceMaybe},
	{"ERR value is not an integer or out of range", surfaceRan, surfaceMaybe},
	{"IOERR error or timeout reading to target instance", surfaceMaybe, surfaceMaybe},
	{"MYMODULE says no", surfaceRan, surfaceMaybe},

	// Inside a script: what ran before the error stays.
	{"ERR Script attempted to access a non local key in a cluster node" + sha, surfaceRan, surfaceMaybe},
	{"ERR Script killed by user with SCRIPT KILL." + sha, surfaceRan, surfaceMaybe},
	{"OOM command not allowed when used memory > 'maxmemory'." + sha, surface, surfaceMaybe},
	{"READONLY You can't write against a read only replica." + sha, onNextMap, surfaceMaybe},
	{"NOREPLICAS Not enough good replicas to write." + sha,
		verdict{action: again, pause: replicasWait, executed: NotExecuted}, surfaceMaybe},
	{"ERR unknown command" + sha, surface, surfaceMaybe},
	{"READONLY Can not run script with write flag on readonly replica.", onNextMap, onNextMap},

	// Words that a server has not said so far, behind a code that it refuses with.
	{"TRYAGAIN later", sameNode, surfaceMaybe},
	{"CLUSTERDOWN", onNextMap, surfaceMaybe},
	{"LOADING soon over", onNextMap, surfaceMaybe},
	{"BUSY", onSameMap, surfaceMaybe},
}

func TestEveryErrorReplyIsJudged(t *testing.T) {
	for _, row := range refusalRows {
		for _, kind := range []struct {
			name string
			attempt
			want verdict
		}{{"write", write, row.plain}, {"read", read, row.plain}, {"script", script, row.script}} {
			t.Run(kind.name+"/"+row.reply, func(t *testing.T) {
				kind.refusal = row.reply
				require.Equal(t, kind.want, classify(kind.attempt))
			})
		}
	}
}

// What a script that reads ends in, be it its own error or that of a command it called, has changed nothing.
func TestAnErrorOfAReadOnlyScriptIsAnAnswer(t *testing.T) {
	for _, row := range refusalRows {
		want := row.script
		if want == surfaceMaybe {
			want = surfaceRan
		}
		require.Equal(t, want, classify(attempt{slot: 866, script: true, reads: true, refusal: row.reply}), row.reply)
	}
}

// A code counts only as the whole first word, in capitals, and at the start.
func TestRefusalsAreRecognisedByTheirWholeCode(t *testing.T) {
	for _, reply := range []string{
		"tryagain", "TRYAGAINX later", " TRYAGAIN", "ERR TRYAGAIN", "CLUSTERDOWNER The cluster is down", "moved 866 h:1",
		"ERR MOVED 866 h:1", "ASKING", "MOVEDX 866 h:1", "ERR wrongly said: unknown thing",
	} {
		a := write
		a.refusal = reply
		require.Equal(t, surfaceRan, classify(a), reply)
		a.script = true
		require.Equal(t, surfaceMaybe, classify(a), reply)
	}
}

func TestAttemptsWithoutAReply(t *testing.T) {
	dialFailed := &wire.DialError{Phase: wire.PhaseDial, Addr: "h:1", Err: syscall.ECONNREFUSED}
	dialTimedOut := &wire.DialError{Phase: wire.PhaseTLS, Addr: "h:1", Err: context.DeadlineExceeded}
	for _, row := range []struct {
		name        string
		err         error
		unsent      verdict
		sentRead    verdict
		sentAtWrite verdict
	}{
		{"connection reset", syscall.ECONNRESET, lostAgain(noPause, NotExecuted), lostAgain(noPause, Unknown), lostForGood()},
		{"peer silent", wire.ErrPeerSilent, lostAgain(noPause, NotExecuted), lostAgain(noPause, Unknown), lostForGood()},
		{"probe failed", wire.ErrProbeFailed, lostAgain(noPause, NotExecuted), lostAgain(noPause, Unknown), lostForGood()},
		{"surplus reply", wire.ErrSurplusReply, lostAgain(noPause, NotExecuted), lostAgain(noPause, Unknown), lostForGood()},
		{"drained", wire.ErrClosed, lostAgain(noPause, NotExecuted), lostAgain(noPause, Unknown), lostForGood()},
		{"node left", errRetired, lostAgain(noPause, NotExecuted), lostAgain(noPause, Unknown), lostForGood()},
		{"deposed", errDeposed, lostAgain(noPause, NotExecuted), lostAgain(noPause, Unknown), lostForGood()},
		{"caller cancelled", context.Canceled, surface, surfaceMaybe, surfaceMaybe},
		{"caller's deadline", fmt.Errorf("wrapped: %w", context.DeadlineExceeded), surface, surfaceMaybe, surfaceMaybe},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, a := range []attempt{write, read, script} {
				a.err = row.err
				require.Equal(t, row.unsent, classify(a))
			}
			a := attempt{err: row.err, sent: true, repeatable: true}
			require.Equal(t, row.sentRead, classify(a))
			a.repeatable = false
			require.Equal(t, row.sentAtWrite, classify(a))
			a.script = true
			require.Equal(t, row.sentAtWrite, classify(a))
		})
	}
	// A dial error proves that nothing was sent, even where it was its own deadline that ended it.
	for _, err := range []error{dialFailed, dialTimedOut, errNoOwner, fmt.Errorf("x: %w", dialFailed)} {
		for _, a := range []attempt{write, read, script} {
			a.err = err
			require.Equal(t, lostAgain(clusterWait, NotExecuted), classify(a), "%v", err)
		}
	}
}

func lostAgain(p pause, executed Outcome) verdict {
	return verdict{action: again, pause: p, executed: executed, refresh: true}
}

func lostForGood() verdict { return verdict{action: finish, executed: Unknown, refresh: true} }

func TestRedirectsThatAreFollowed(t *testing.T) {
	for text, want := range map[string]target{
		"866 10.0.0.1:6379":           {866, "10.0.0.1", 6379},
		"866 node-a.example.com:1":    {866, "node-a.example.com", 1},
		"866 ::1:6380":                {866, "::1", 6380},
		"866 fd00:ab::7:65535":        {866, "fd00:ab::7", 65535},
		"866 :7213":                   {866, "", 7213},
		"866 10.0.0.1:0":              {866, "10.0.0.1", 0},
		"866 :0":                      {866, "", 0},
		"866 redis_1.some-net_x:6379": {866, "redis_1.some-net_x", 6379},
		"866 fe80::1%eth0:6379":       {866, "fe80::1%eth0", 6379},
	} {
		for _, a := range []attempt{write, read, script} {
			a.refusal = "MOVED " + text
			require.Equal(t, verdict{action: follow, executed: NotExecuted, refresh: true, target: want}, classify(a), text)
			a.refusal = "ASK " + text
			require.Equal(t, verdict{action: follow, executed: NotExecuted, ask: true, target: want}, classify(a), text)
		}
	}
}

// A node that does not know its peer's name still knows that the slot is elsewhere: the map has to tell where.
func TestRedirectToAnUnknownNameWaitsForTheMap(t *testing.T) {
	for _, reply := range []string{"MOVED 866 ?:7213", "ASK 866 ?:7213", "MOVED 866 ?:0"} {
		for _, a := range []attempt{write, read, script} {
			a.refusal = reply
			require.Equal(t, onNextMap, classify(a), reply)
		}
	}
}

// A server names the slot that we routed by. Another one in its own reply is our mistake; a script may return any text.
func TestRedirectForAnotherSlotIsNotFollowed(t *testing.T) {
	for _, code := range []string{"MOVED", "ASK"} {
		for _, slot := range []string{"0", "1", "865", "867", "8660", "16383"} {
			a := write
			a.refusal = code + " " + slot + " 10.0.0.1:1"
			require.Equal(t, surfaceMaybe, classify(a))
			a.script = true
			require.Equal(t, surfaceMaybe, classify(a))
			a.slot = -1 // EVAL without keys has no slot that a redirect could name
			require.Equal(t, surfaceMaybe, classify(a))
		}
	}
}

func TestMalformedRedirectsAreNotFollowed(t *testing.T) {
	for _, text := range []string{
		"", " ", "866", "866 ", "866  ", "866 h", "866 h:", "866 :", "866 h:65536", "866 h:99999", "866 h:100000", "866 h:-1",
		"866 h:+1", "866 h:1 ", "866 h:1 x", "866  h:1", " 866 h:1", "0866 h:1", "00 h:1", "+866 h:1", "-866 h:1", "16384 h:1",
		"99999 h:1", "184467440737095516160866 h:1", "8६6 h:1", "866\th:1", "866 h:0x1", "866 h:1\n", "866 h:01",
		"866 [::1]:6379", "866 a/b:1", "866 user@h:1", "866 h\tx:1", "866 a b:1", "0x362 h:1", "866 h:١",
		"866 h\x00:1", "866 \x7f:1", "866 h\x1b[2J:1", "866 " + strings.Repeat("h", 70000) + ":1",
	} {
		for _, code := range []string{"MOVED", "ASK"} {
			for _, a := range []attempt{write, read, script} {
				a.refusal = code + " " + text
				v := classify(a)
				require.Equal(t, finish, v.action, "%.80q", a.refusal)
				require.Equal(t, Unknown, v.executed, "%.80q", a.refusal)
				require.False(t, v.refresh)
			}
		}
	}
}

// FuzzRedirect feeds classify any text as an error reply: what it follows must be a redirect for the slot we routed by,
// and must read the same when it is written again.
func FuzzRedirect(f *testing.F) {
	for _, row := range refusalRows {
		f.Add(row.reply, 866, true)
	}
	for _, text := range []string{
		"MOVED 866 10.0.0.1:6379", "ASK 866 ::1:6380", "MOVED 866 :7213", "MOVED 866 ?:7213", "ASK 866 h:0", "ASK", "MOVED ",
		"MOVED 16384 h:1", "MOVED 1 10.0.0.1:1", "MOVED 866 [::1]:1", "MOVED 0866 h:1", "MOVED 866 h:65536", "MOVED 866 :",
	} {
		f.Add(text, 866, false)
	}
	f.Fuzz(func(t *testing.T, reply string, slot int, isScript bool) {
		v := classify(attempt{refusal: reply, slot: slot, script: isScript})
		if v != classify(attempt{refusal: reply, slot: slot, script: isScript}) {
			t.Fatal("classify is not pure")
		}
		if v.action != follow {
			return
		}
		to := v.target
		if int(to.slot) != slot || to.slot >= slotCount || to.port < 0 || to.port > 65535 || v.executed != NotExecuted {
			t.Fatalf("%q: %+v", reply, v)
		}
		code := "MOVED"
		if v.ask {
			code = "ASK"
		}
		if again := fmt.Sprintf("%s %d %s:%d", code, to.slot, to.host, to.port); again != reply {
			t.Fatalf("%q reads as %q", reply, again)
		}
		if to.host != "" {
			host, _, err := net.SplitHostPort(Node{Host: to.host, Port: to.port}.Addr())
			if err != nil || host != to.host {
				t.Fatalf("%q leads to no address: %v", reply, err)
			}
		}
	})
}

func TestPhaseNamesTheStepThatFailed(t *testing.T) {
	dial := &wire.DialError{Phase: wire.PhaseAuth, Addr: "h:1", Err: errors.New("WRONGPASS")}
	require.Equal(t, "auth", phaseOf(dial, false))
	resolve := &wire.DialError{Phase: wire.PhaseDial, Addr: "h:1", Err: &resolveError{errors.New("no such host")}}
	require.Equal(t, "resolve", phaseOf(resolve, false))
	require.Equal(t, "write", phaseOf(syscall.ECONNRESET, false))
	require.Equal(t, "read", phaseOf(syscall.ECONNRESET, true))
}

// What a replica refuses its primary may answer; only what the caller has to hear, and ASK, is final.
func TestVerdictsOfReplicas(t *testing.T) {
	for reply, want := range map[string]action{
		"MOVED 7 10.0.0.1:6379": elsewhere,
		"ASK 7 10.0.0.1:6379":   follow,
		"TRYAGAIN Multiple keys request during rehashing of slot": elsewhere,
		"CLUSTERDOWN The cluster is down":                         elsewhere,
		"LOADING Redis is loading the dataset in memory":          elsewhere,
		"MASTERDOWN Link with MASTER is down":                     elsewhere,
		"BUSY Redis is busy running a script":                     elsewhere,
		"NOAUTH Authentication required.":                         elsewhere,
		"WRONGTYPE Operation against a key":                       finish,
		"NOPERM User has no permissions":                          finish,
	} {
		v := classify(attempt{slot: 7, refusal: reply, repeatable: true}).ofReplica()
		require.Equal(t, want, v.action, reply)
		if want == elsewhere {
			require.Equal(t, v.pause != noPause, reply[:8] == "TRYAGAIN", reply)
			require.Equal(t, v.moved, reply[:5] == "MOVED", reply)
		}
	}
	for _, sent := range []bool{true, false} {
		v := classify(attempt{err: errSilentReplica, sent: sent, repeatable: true}).ofReplica()
		require.Equal(t, elsewhere, v.action)
		require.Equal(t, noPause, v.pause)
	}
	v := classify(attempt{err: context.Canceled, sent: true, repeatable: true}).ofReplica()
	require.Equal(t, finish, v.action, "its caller has gone")
}
