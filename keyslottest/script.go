package keyslottest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// scriptRun is the script that runs at this moment. miniredis calls the hook below for each of its commands, and holds its
// lock all the while: so nothing may be asked of it but as the script's own commands are, by store.nest.
type scriptRun struct {
	conn     *conn
	readOnly bool
	wrote    []string // keys that the script may have written, declared or not
}

// handledInScripts are the handlers that scripts may call, which only look at what there is. Of CLUSTER it is all.
var handledInScripts = map[string]bool{
	"PING": true, "ECHO": true, "SCAN": true, "KEYS": true, "DBSIZE": true, "RANDOMKEY": true, "FLUSHALL": true, "FLUSHDB": true,
}

// runScript runs EVAL, EVALSHA and their read-only forms.
func (c *Cluster) runScript(cn *conn, r request) {
	sha := r.args[1]
	run := &scriptRun{conn: cn}
	r.args = slices.Clone(r.args)
	r.args[0], run.readOnly = strings.CutSuffix(r.cmd.Name, "_RO") // miniredis takes some commands that read for writes
	if r.args[0] == "EVALSHA" {
		sha = strings.ToLower(sha)
		r.args[1] = sha // miniredis minds the case
		if !cn.node.scripts[sha] {
			cn.out.error("NOSCRIPT No matching script. Please use EVAL.")
			return
		}
	} else {
		sha = sha1Hex(r.args[1])
	}
	from := len(cn.out.buf)
	c.store.script = run
	c.store.do(&cn.out, r.args...)
	c.store.script = nil
	if text, failed := scriptError(string(cn.out.buf[from:]), sha); failed {
		cn.out.buf = cn.out.buf[:from]
		cn.out.error(text)
	}
	cn.node.scripts[sha] = true
	c.serveWaiting(run.wrote)
}

// runInScript is asked before every command. It runs, or refuses, those of scripts.
func (c *Cluster) runInScript(peer *server.Peer, name string, args ...string) (done bool) {
	run := c.store.script
	if run == nil || peer == c.store.peer {
		return false
	}
	r := newRequest(append([]string{name}, args...))
	defer c.store.nest(peer)()
	if refusal := c.refuseInScript(run, r); refusal != "" {
		peer.WriteError(refusal)
		return true
	}
	peer.WriteRaw(string(c.answerInScript(run.conn, r)))
	return true
}

// refuseInScript returns the error that keeps a script from running r, or "".
func (c *Cluster) refuseInScript(run *scriptRun, r request) string {
	cn := run.conn
	switch {
	case r.cmd == nil:
		return "ERR Unknown Redis command called from script"
	case r.cmd.CheckArity(len(r.args)) != nil:
		return "ERR Wrong number of args calling Redis command from script"
	case r.has(spec.NoScript):
		return "ERR This Redis command is not allowed from script"
	case run.readOnly && r.has(spec.Write):
		return "ERR Write commands are not allowed from read-only scripts."
	case r.has(spec.Write) && !cn.node.isPrimary():
		return "READONLY You can't write against a read only replica."
	case c.route(cn, []request{r}, r.has(spec.Write)) != "":
		return "ERR Script attempted to access a non local key in a cluster node"
	case c.opts.Standalone && isOfClusters(r.cmd.Name):
		return errNoCluster
	}
	handled := handledInScripts[r.cmd.Name] || strings.HasPrefix(r.cmd.Name, "CLUSTER ")
	if c.handlers[r.cmd.Name] != nil && handled || c.handlers[r.cmd.Name] == nil && c.delegated(r) && !r.has(spec.Blocking) {
		return ""
	}
	return fmt.Sprintf("ERR not supported by keyslottest in a script: '%s'", fullName(r.cmd))
}

// answerInScript runs r and returns the reply, which is RESP2: Lua knows no other here.
func (c *Cluster) answerInScript(cn *conn, r request) []byte {
	if h := c.handlers[r.cmd.Name]; h != nil {
		outer := cn.out
		cn.out = replies{}
		h(cn, r.args)
		reply := cn.out.buf
		cn.out = outer
		return reply
	}
	out := replies{}
	c.store.run(&out, r)
	if r.has(spec.Write) {
		c.wrote(cn.node, r.keys)
	}
	return out.buf
}

var luaError = regexp.MustCompile(`^-ERR Error compiling script \(new function\): \S*?:(\d+): (.*?)( +stack traceback:.*)?\r\n$`)

var errorCode = regexp.MustCompile(`^[A-Z]+ `)

// scriptError gives the error that ended a script the form a server gives it.
func scriptError(reply, sha string) (text string, failed bool) {
	m := luaError.FindStringSubmatch(reply)
	if m == nil {
		return "", false
	}
	line, text := m[1], m[2]
	if !errorCode.MatchString(text) { // not of a command, but of Lua
		text = fmt.Sprintf("ERR user_script:%s: %s", line, text)
	}
	return fmt.Sprintf("%s script: %s, on @user_script:%s.", text, sha, line), true
}

// The script cache is one per node, although miniredis has one for all: that a node does not know a script which another
// does is what clients have to cope with.

func scriptLoad(cn *conn, args []string) {
	from := len(cn.out.buf)
	cn.cluster.store.do(&cn.out, args...)
	if cn.out.buf[from] == '$' {
		cn.node.scripts[sha1Hex(args[2])] = true
	}
}

func scriptExists(cn *conn, args []string) {
	cn.out.array(len(args) - 2)
	for _, sha := range args[2:] {
		known := int64(0)
		if cn.node.scripts[strings.ToLower(sha)] {
			known = 1
		}
		cn.out.int(known)
	}
}

func scriptFlush(cn *conn, args []string) {
	if len(args) > 3 || len(args) == 3 && !strings.EqualFold(args[2], "SYNC") && !strings.EqualFold(args[2], "ASYNC") {
		cn.out.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
		return
	}
	clear(cn.node.scripts)
	cn.out.ok()
}

func sha1Hex(script string) string {
	sum := sha1.Sum([]byte(script))
	return hex.EncodeToString(sum[:])
}
