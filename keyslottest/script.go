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
// lock all the while: so the hook must not ask it anything but by the peer of the script.
type scriptRun struct {
	conn  *conn
	wrote []string // keys that the script may have written, declared or not
}

// runScript runs EVAL, EVALSHA and their read-only forms.
func (c *Cluster) runScript(cn *conn, r request) {
	sha := r.args[1]
	if strings.HasPrefix(r.cmd.Name, "EVALSHA") {
		sha = strings.ToLower(sha)
		r.args = slices.Clone(r.args)
		r.args[1] = sha // miniredis minds the case
		if !cn.node.scripts[sha] {
			cn.out.error("NOSCRIPT No matching script. Please use EVAL.")
			return
		}
	} else {
		sha = sha1Hex(r.args[1])
	}
	run := &scriptRun{conn: cn}
	from := len(cn.out.buf)
	c.store.script = run
	c.store.do(&cn.out, r.args...)
	c.store.script = nil
	if text, failed := scriptError(string(cn.out.buf[from:]), sha); failed {
		cn.out.buf = cn.out.buf[:from]
		cn.out.error(text)
	}
	cn.node.scripts[sha] = true
	c.wrote(cn.node, run.wrote)
}

// runInScript is asked before every command. It runs, or refuses, those of scripts.
func (c *Cluster) runInScript(peer *server.Peer, name string, args ...string) (done bool) {
	run := c.store.script
	if run == nil || peer == c.store.peer {
		return false
	}
	r := newRequest(append([]string{name}, args...))
	text := ""
	switch {
	case r.cmd == nil:
		text = "ERR Unknown Redis command called from script"
	case r.cmd.CheckArity(len(r.args)) != nil:
		text = "ERR Wrong number of args calling Redis command from script"
	case r.has(spec.NoScript):
		text = "ERR This Redis command is not allowed from script"
	case r.has(spec.Write) && !run.conn.node.isPrimary():
		text = "READONLY You can't write against a read only replica."
	case c.route(run.conn, []request{r}, r.has(spec.Write)) != "":
		text = "ERR Script attempted to access a non local key in a cluster node"
	case c.handlers[r.cmd.Name] != nil && r.cmd.Name != "PING" && r.cmd.Name != "ECHO",
		!c.delegated(r), r.has(spec.Blocking):
		text = fmt.Sprintf("ERR not supported by keyslottest in a script: '%s'", fullName(r.cmd))
	}
	if text != "" {
		peer.WriteError(text)
		return true
	}
	if r.has(spec.Write) {
		run.wrote = append(run.wrote, r.keys...)
	}
	c.store.runNested(peer, r)
	return true
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
	switch {
	case text == "Write commands are not allowed in read-only scripts":
		text = "ERR Write commands are not allowed from read-only scripts."
	case !errorCode.MatchString(text): // not of a command, but of Lua
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
