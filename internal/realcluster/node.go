package realcluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/keyslot-go/keyslot/internal/loopback"
)

// Node is one server process at one address, whether it runs at the moment or not. Its methods are safe for concurrent
// use.
type Node struct {
	// immutable
	cluster *Cluster
	index   int
	server  string // host:port at which the process listens
	host    string // the host of it
	port    string // the port of it
	busPort string // port of the cluster bus
	dir     string // nodes.conf, the server's configuration and its log
	id      string // set once, before anybody else sees the node

	views atomic.Int64 // how often the harness asked it for its slots

	// guarded by mu
	mu      sync.Mutex
	addr    string   // host:port that clients dial: server, or that of the front
	process *process // nil while the node is down
	frozen  bool
	removed bool
	won     time.Time // for elected
}

// process is one run of a server program.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once the process has been reaped
}

// Addr returns the host:port that clients dial, and other servers too: the address of the node's front, if there is one.
func (n *Node) Addr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addr
}

// Port returns the port in Addr.
func (n *Node) Port() string {
	_, port, _ := net.SplitHostPort(n.Addr()) // which was made, or looked at, before
	return port
}

// Server returns the host:port at which the process itself listens, for as long as the Node lives.
func (n *Node) Server() string { return n.server }

// ID returns the node's id, which it keeps over Restart.
func (n *Node) ID() string { return n.id }

// String returns a name for messages: "node 2 (127.0.0.1:40123)".
func (n *Node) String() string { return fmt.Sprintf("node %d (%s)", n.index, n.Addr()) }

// Role asks the node for its role: "primary" or "replica".
func (n *Node) Role(ctx context.Context) (string, error) {
	r, err := n.cluster.ask(ctx, n, "ROLE")
	if err != nil {
		return "", err
	}
	switch word := r.at(0).text; word {
	case "master":
		return "primary", nil
	case "slave":
		return "replica", nil
	default:
		return "", fmt.Errorf("%s has the unknown role %q", n, word)
	}
}

// elected returns when WaitRole last saw that the node had become a primary; the zero time: never. For two node
// timeouts Redis 7.0 counts the votes of a node's last election again: it takes itself for a primary, nobody else does,
// and what it is told until it hears so is lost. For two more neither engine starts another election of that node
// (clusterHandleSlaveFailover in their cluster.c).
func (n *Node) elected() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.won
}

func (n *Node) noteElected() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.won = time.Now()
}

// Kill ends the node at once (SIGKILL): the kernel resets its connections. It returns when the process is gone.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Shutdown ends the node in an orderly way (SIGTERM), as a maintenance does, and returns when the process is gone. A
// primary first waits for replicas that lag, for up to 10 s (shutdown-timeout).
func (n *Node) Shutdown() error { return n.end(syscall.SIGTERM) }

// Freeze stops the process where it is (SIGSTOP): its connections stay open and even new ones are accepted, but nothing
// is answered.
func (n *Node) Freeze() error { return n.pause(signalFreeze, true) }

// Thaw lets a frozen process go on (SIGCONT): it answers everything that has arrived meanwhile.
func (n *Node) Thaw() error { return n.pause(signalThaw, false) }

// Restart starts a node that was killed or shut down, at the same address (and behind the same front, unless MoveFronts
// has given it another one) with the same id, and returns when it answers.
// Its data is gone: it was never on disk.
func (n *Node) Restart(ctx context.Context) error { return n.RestartWith(ctx) }

// RestartWith is Restart with more lines of configuration, for this run of the process only.
func (n *Node) RestartWith(ctx context.Context, config ...string) error {
	if n.running() {
		return fmt.Errorf("%s runs already", n)
	}
	return n.launch(ctx, config...)
}

// Views returns how often the harness itself has asked the node for its slots: who counts what clients ask takes these off.
func (n *Node) Views() int { return int(n.views.Load()) }

// PID returns the process id of the running server, and 0 while there is none.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return 0
	}
	return n.process.cmd.Process.Pid
}

func (n *Node) running() bool { return n.PID() != 0 }

// live reports whether the node can answer: it runs and is not frozen.
func (n *Node) live() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process != nil && !n.frozen
}

func (n *Node) pause(signal syscall.Signal, frozen bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return fmt.Errorf("%s does not run", n)
	}
	if err := n.process.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("%s: %w", n, err)
	}
	n.frozen = frozen
	return nil
}

func (n *Node) end(signal syscall.Signal) error {
	n.mu.Lock()
	server, frozen := n.process, n.frozen
	n.process, n.frozen = nil, false
	n.mu.Unlock()
	if server == nil {
		return nil
	}
	if err := server.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", n, err)
	}
	if frozen {
		// A stopped process is only told of SIGTERM once it goes on.
		_ = server.cmd.Process.Signal(signalThaw)
	}
	<-server.ended
	return nil
}

// launch starts the server program and blocks until it answers, ends by itself, or ctx ends.
func (n *Node) launch(ctx context.Context, more ...string) error {
	engine := n.cluster.Engine
	config := strings.Join(append(n.cluster.config(n), more...), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(n.dir, "server.conf"), []byte(config), 0o600); err != nil {
		return err
	}
	// The process outlives ctx, which bounds only the start; end and the cluster's Stop kill it.
	cmd := engine.Command(context.WithoutCancel(ctx), engine.Server, filepath.Join(n.dir, "server.conf"))
	cmd.Dir = n.dir
	cmd.SysProcAttr = endWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", n, err)
	}
	server := &process{cmd: cmd, ended: make(chan struct{})}
	// Ends with the process, which end, Stop or the parent's death see to.
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(server.ended)
	}()
	n.mu.Lock()
	n.process = server
	n.mu.Unlock()
	if err := n.answers(ctx, server); err != nil {
		return errors.Join(err, n.Kill())
	}
	return nil
}

func (n *Node) answers(ctx context.Context, server *process) error {
	return Until(ctx, func() error {
		select {
		case <-server.ended:
			return permanent{fmt.Errorf("%s ended at once:\n%s", n, n.logTail(20))}
		default:
		}
		_, err := n.cluster.ask(ctx, n, "PING")
		return err
	})
}

// logTail returns the last lines of the server's log.
func (n *Node) logTail(lines int) string {
	log, err := os.Open(filepath.Join(n.dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	defer log.Close()
	var tail []string
	for scanner := bufio.NewScanner(log); scanner.Scan(); {
		tail = append(tail, scanner.Text())
		tail = tail[max(0, len(tail)-lines):]
	}
	return strings.Join(tail, "\n")
}

// permanent is an error that waiting will not cure.
type permanent struct{ error }

// reserve listens on a free loopback port, which stays ours until the listener is closed, right before the server takes
// it over.
func reserve() (l *loopback.Listener, port string, err error) {
	if l, err = loopback.Listen("127.0.0.1:0"); err != nil {
		return nil, "", err
	}
	return l, strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}
