package late

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Result is what a Probe has found.
type Result struct {
	Engine  string `json:"engine"`
	Skipped string `json:"skipped,omitempty"` // why nothing was tried; all else is 0 then

	// The writes that the client issued while the link was down, by what it was told.
	Writes      int `json:"writes"`
	Answered    int `json:"answered"`
	NotExecuted int `json:"notExecuted"`
	Unknown     int `json:"unknown"`

	// Violations, which all must be 0.
	Unsound   int `json:"unsound"`   // told not executed, and found
	Twice     int `json:"twice"`     // found more than once
	Late      int `json:"late"`      // run after the link was up again, though the client had been told before
	Overtaken int `json:"overtaken"` // of these: run after a newer write to the same key had been answered
}

// Violations returns how many writes did what they must not do.
func (r Result) Violations() int { return r.Unsound + r.Twice + r.Late }

const (
	// afterTold is how long after the client has been told of its last write the servers are looked at, the link being down.
	afterTold = 500 * time.Millisecond
	// settle is how long after the newer writes late ones are waited for. A kernel that has lost packets for down tries
	// again after at most as long as that again.
	settle = 6 * time.Second
	// probeTimeout bounds all of a Probe, which takes some 12 s.
	probeTimeout = time.Minute
)

// Probe cuts a client off from its server, lets it give up what it writes, heals the network and looks at what has run.
// The program client, with args, must run Client; it is started in a namespace of its own. Probe blocks for some 12 s.
// All that it makes is gone when it returns. It is safe for concurrent use.
func Probe(ctx context.Context, engine realcluster.Engine, client string, args ...string) (result Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	result.Engine = engine.Name
	net, reason := newNetwork(ctx)
	defer func() { err = errors.Join(err, net.remove(ctx)) }()
	if reason != nil {
		result.Skipped = reason.Error()
		return result, nil
	}
	server, err := net.startServer(ctx, engine)
	if err != nil {
		return result, err
	}
	defer server.stop()
	written, snapshot, err := story(ctx, net, server, exec.CommandContext(ctx, client, args...))
	if err != nil {
		return result, fmt.Errorf("%w\n%s", err, server.logTail())
	}
	lists, err := server.watch(ctx, written.keys())
	if err != nil {
		return result, err
	}
	result.compare(written, snapshot, lists)
	return result, nil
}

// story is what happens: the client writes, is cut off, gives up, comes back and writes anew. It returns what the
// client says of its writes, and what the server held at the end of the cut.
func story(ctx context.Context, net network, server *server, cmd *exec.Cmd) (written writes, snapshot lists, err error) {
	c, err := net.startClient(cmd)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.hears("ready", nil); err != nil {
		return nil, nil, err
	}
	if err := net.cut(ctx); err != nil {
		return nil, nil, err
	}
	c.says("cut")
	if err := c.hears("told", &written); err != nil {
		return nil, nil, err
	}
	if err := realcluster.Wait(ctx, afterTold); err != nil {
		return nil, nil, err
	}
	if snapshot, err = server.lists(ctx, written.keys()); err != nil {
		return nil, nil, err
	}
	if err := net.heal(ctx); err != nil {
		return nil, nil, err
	}
	c.says("healed")
	return written, snapshot, c.hears("answered", nil)
}

// lists are what the server holds: the writes of each key in the order in which they ran.
type lists map[string][]string

// compare counts what did not do what the client was told.
func (r *Result) compare(written writes, before, after lists) {
	for _, w := range written {
		r.Writes++
		switch w.Outcome {
		case answered:
			r.Answered++
		case notExecuted:
			r.NotExecuted++
		default:
			r.Unknown++
		}
		ran := 0
		for _, id := range after[w.Key] {
			if id == w.ID {
				ran++
			}
		}
		if ran > 1 {
			r.Twice++
		}
		if ran > 0 && w.Outcome == notExecuted {
			r.Unsound++
		}
		if ran == 0 || slices.Contains(before[w.Key], w.ID) {
			continue
		}
		r.Late++
		if slices.Index(after[w.Key], w.ID) > slices.Index(after[w.Key], newer) {
			r.Overtaken++
		}
	}
}

// server is a cluster of one node within the network.
type server struct {
	net    network
	engine realcluster.Engine
	dir    string
	cmd    *exec.Cmd
}

func (n network) startServer(ctx context.Context, engine realcluster.Engine) (*server, error) {
	dir, err := os.MkdirTemp("", "keyslot-late-")
	if err != nil {
		return nil, err
	}
	cmd := engine.Command(ctx, engine.Server, "--port", port, "--bind", serverHost, "127.0.0.1", "--protected-mode", "no",
		"--cluster-enabled", "yes", "--cluster-announce-ip", serverHost, "--dir", dir, "--save", "", "--logfile", "server.log")
	s := &server{net: n, engine: engine, dir: dir, cmd: n.within(n.serverSpace, cmd)}
	s.cmd.SysProcAttr = endWithParent()
	if err := s.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	err = realcluster.Until(ctx, func() error {
		_, err := s.ask(ctx, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
		return err
	})
	if err == nil {
		err = realcluster.Until(ctx, func() error {
			info, err := s.ask(ctx, "CLUSTER", "INFO")
			if err == nil && !strings.Contains(info, "cluster_state:ok") {
				err = errors.New(info)
			}
			return err
		})
	}
	if err != nil {
		err = fmt.Errorf("server in a namespace: %w\n%s", err, s.logTail())
		s.stop()
		return nil, err
	}
	return s, nil
}

// stop kills the server and returns when it is gone.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // killed, which is an error
	_ = os.RemoveAll(s.dir)
}

// ask sends one command from within the server's namespace, whose loopback no cut concerns.
func (s *server) ask(ctx context.Context, args ...string) (string, error) {
	cmd := s.engine.Command(ctx, s.engine.CLI, append([]string{"-h", "127.0.0.1", "-p", port, "-e"}, args...)...)
	out, err := s.net.within(s.net.serverSpace, cmd).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%v: %w: %s", args, err, out)
	}
	return string(out), nil
}

// lists reads the lists at keys.
func (s *server) lists(ctx context.Context, keys []string) (lists, error) {
	all := make(lists)
	for _, key := range keys {
		out, err := s.ask(ctx, "LRANGE", key, "0", "-1")
		if err != nil {
			return nil, err
		}
		all[key] = strings.Fields(out)
	}
	return all, nil
}

// watch waits for what comes late, and returns the lists as they are then.
func (s *server) watch(ctx context.Context, keys []string) (lists, error) {
	if err := realcluster.Wait(ctx, settle); err != nil {
		return nil, err
	}
	return s.lists(ctx, keys)
}

func (s *server) logTail() string {
	log, err := os.ReadFile(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}

// conversation is with the client's process: one word a line to it, a word and perhaps JSON a line from it.
type conversation struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (n network) startClient(cmd *exec.Cmd) (*conversation, error) {
	c := &conversation{cmd: n.within(n.clientSpace, cmd)}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.cmd.Start()
}

// says tells the client something; that it is gone, the next line shows.
func (c *conversation) says(word string) { _, _ = fmt.Fprintln(c.in, word) }

// hears waits for a line that begins with word, and reads what follows it into v.
func (c *conversation) hears(word string, v any) error {
	line, err := c.out.ReadString('\n')
	if err != nil {
		return fmt.Errorf("client instead of %q: %w", word, err)
	}
	rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), word)
	if !ok {
		return fmt.Errorf("client says %q instead of %q", line, word)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal([]byte(rest), v)
}

// stop ends the client, which leaves by itself when nobody speaks to it any more.
func (c *conversation) stop() error {
	_ = c.in.Close()
	return c.cmd.Wait()
}
