package keyslottest

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// scriptRun is the script that runs at this moment. miniredis has scripts as well, but numbers, JSON and errors of
// its own in them.
type scriptRun struct {
	conn     *conn
	readOnly bool
	resp3    bool     // what redis.setresp chose
	wrote    []string // keys that the script may have written, declared or not
	depth    int      // of what is being answered
	pushed   replies  // messages that it published to conn itself
}

// handledInScripts are the handlers that scripts may call, which is all of CLUSTER, PUBLISH and PUBSUB, too. Others are
// about the connection.
var handledInScripts = map[string]bool{
	"PING": true, "ECHO": true, "SCAN": true, "KEYS": true, "DBSIZE": true, "RANDOMKEY": true, "FLUSHALL": true, "FLUSHDB": true,
	"INFO": true, "COMMAND COUNT": true, "COMMAND GETKEYS": true,
}

const errNoScript = "NOSCRIPT No matching script. Please use EVAL."

// runScript runs EVAL, EVALSHA and their read-only forms.
func (c *Cluster) runScript(cn *conn, r request) {
	name, readOnly := strings.CutSuffix(r.cmd.Name, "_RO")
	sha := strings.ToLower(r.args[1])
	keys, args, refusal := countKeys(r.args[2:])
	switch {
	case name == "EVALSHA" && len(sha) != 40:
		refusal = errNoScript
	case refusal != "":
	case name == "EVALSHA" && !cn.node.scripts[sha]:
		refusal = errNoScript
	case name == "EVAL":
		sha, refusal = c.loadScript(cn.node, r.args[1])
	}
	if refusal != "" {
		cn.out.error(refusal)
		return
	}
	run := &scriptRun{conn: cn, readOnly: readOnly, pushed: replies{resp3: cn.out.resp3}}
	l := run.newLua(keys, args)
	defer l.Close()
	line := ""
	onError := l.NewFunction(func(l *lua.LState) int { // is run where the script failed
		line = lineOf(l)
		return 1
	})
	l.Push(l.NewFunctionFromProto(c.scripts[sha]))
	c.script = run
	err := l.PCall(0, 1, onError)
	c.script = nil
	cn.out.buf = append(cn.out.buf, run.pushed.buf...)
	if failed := (*lua.ApiError)(nil); errors.As(err, &failed) {
		cn.out.error(failure(failed.Object, line, sha))
	} else {
		run.answer(&cn.out, l.Get(-1))
	}
	c.serveWaiting(run.wrote)
}

// loadScript makes a script known to n.
func (c *Cluster) loadScript(n *node, script string) (sha, refusal string) {
	sha = sha1Hex(script)
	if c.scripts[sha] == nil {
		compiled, err := compileLua(script)
		if err != nil {
			return "", err.Error()
		}
		c.scripts[sha] = compiled
	}
	n.scripts[sha] = true
	return sha, ""
}

// refuseInScript returns the error that keeps a script from running r, or "".
func (c *Cluster) refuseInScript(run *scriptRun, r request) string {
	cn := run.conn
	switch {
	case r.cmd == nil:
		return "ERR Unknown Redis command called from script"
	case r.cmd.CheckArity(len(r.args)) != nil:
		return "ERR Wrong number of args calling Redis command from script"
	case r.has(spec.NoScript), r.has(spec.Blocking) && !strings.HasPrefix(r.cmd.Name, "XREAD"):
		return "ERR This Redis command is not allowed from script"
	case r.has(spec.Blocking) && r.asksToBlock():
		return "ERR " + r.args[0] + " command is not allowed with BLOCK option from scripts"
	case run.readOnly && (r.has(spec.Write) || r.publishes()):
		return "ERR Write commands are not allowed from read-only scripts."
	case r.has(spec.Write) && !cn.node.isPrimary():
		return "READONLY You can't write against a read only replica."
	case c.route(cn, []request{r}, r.has(spec.Write), r.has(spec.RouteOnly)) != "":
		return "ERR Script attempted to access a non local key in a cluster node"
	case c.opts.Standalone && isOfClusters(r.cmd.Name):
		return errNoCluster
	}
	supported := c.delegated(r)
	if c.handlers[r.cmd.Name] != nil {
		supported = handledInScripts[r.cmd.Name] || strings.HasPrefix(r.cmd.Name, "CLUSTER ") || r.has(spec.PubSub)
	}
	if supported {
		return ""
	}
	return fmt.Sprintf("ERR not supported by keyslottest in a script: '%s'", fullName(r.cmd))
}

func (r request) asksToBlock() bool {
	_, blocks, _ := blockTime(r)
	return blocks
}

// answerInScript runs r, or refuses it.
func (c *Cluster) answerInScript(run *scriptRun, r request) []byte {
	cn, out := run.conn, replies{resp3: run.resp3}
	if refusal := c.refuseInScript(run, r); refusal != "" {
		out.error(refusal)
		return out.buf
	}
	h := c.handlers[r.cmd.Name]
	if h == nil && r.has(spec.Blocking) { // XREAD or XREADGROUP, which does not
		h = func(cn *conn, _ []string) {
			outer := c.inExec
			c.inExec = true
			c.runBlocking(cn, r)
			c.inExec = outer
		}
	}
	if h != nil {
		outer := cn.out
		cn.out = out
		h(cn, r.args)
		out, cn.out = cn.out, outer
		return out.buf
	}
	c.store.run(&out, r)
	if r.has(spec.Write) {
		c.wrote(cn.node, r.keys)
	}
	return out.buf
}

// The script cache is one per node: that a node does not know a script which another does is what clients have to cope with.

func scriptLoad(cn *conn, args []string) {
	sha, refusal := cn.cluster.loadScript(cn.node, args[2])
	if refusal != "" {
		cn.out.error(refusal)
		return
	}
	cn.out.bulk(sha)
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
