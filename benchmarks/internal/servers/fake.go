package servers

import (
	"bufio"
	"fmt"
	"net"
	"strings"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
)

const slots = 16384

// fakeNode answers what clients ask when they connect, and GET and SET at little cost. It stores nothing: every key has
// the value that load.Fill would give it.
type fakeNode struct {
	slots string // the reply to CLUSTER SLOTS
	id    string
	// the replies to GET of a small value, of a large one and of a huge one
	small, large, huge string
}

// serveFake runs a cluster of n primaries without replicas, and returns their addresses. Its goroutines end with the
// process.
func serveFake(n int) ([]string, error) {
	var (
		addrs     []string
		listeners []net.Listener
	)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
		addrs = append(addrs, l.Addr().String())
	}
	layout, err := slotsReply(addrs)
	if err != nil {
		return nil, err
	}
	for i, l := range listeners {
		node := &fakeNode{slots: layout, id: fakeID(i)}
		node.small, node.large, node.huge = bulk(load.SmallValue()), bulk(load.LargeValue()), bulk(load.HugeValue())
		go acceptAll(l, node.serve)
	}
	return addrs, nil
}

func fakeID(i int) string { return fmt.Sprintf("%040x", i+1) }

// slotsReply spells CLUSTER SLOTS: *n ( *3 :first :last *4 $host :port $id *0 )
func slotsReply(addrs []string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(addrs))
	for i, addr := range addrs {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return "", err
		}
		first, last := slots*i/len(addrs), slots*(i+1)/len(addrs)-1
		fmt.Fprintf(&b, "*3\r\n:%d\r\n:%d\r\n*4\r\n%s:%s\r\n%s*0\r\n", first, last, bulk(host), port, bulk(fakeID(i)))
	}
	return b.String(), nil
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// serve answers one client until it closes. Replies are written when there is nothing more to read, as servers do.
func (n *fakeNode) serve(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriterSize(conn, 64<<10)
	resp3 := false
	for args := make([][]byte, 0, 8); ; {
		var err error
		if args, err = readCommand(in, args[:0]); err != nil {
			return
		}
		if isCommand(args, "HELLO") {
			resp3 = len(args) > 1 && string(args[1]) == "3"
		}
		_, _ = out.WriteString(n.reply(args, resp3)) // an error comes again from Flush
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// reply returns the reply to one command.
func (n *fakeNode) reply(args [][]byte, resp3 bool) string {
	switch {
	case isCommand(args, "GET") && len(args) == 2:
		return n.value(args[1])
	case isCommand(args, "MGET"):
		reply := fmt.Sprintf("*%d\r\n", len(args)-1)
		for _, key := range args[1:] {
			reply += n.value(key)
		}
		return reply
	case isCommand(args, "HELLO"):
		return hello(resp3)
	case isCommand(args, "CLUSTER") && len(args) > 1:
		return n.cluster(strings.ToUpper(string(args[1])))
	case isCommand(args, "PING") && len(args) == 2:
		return bulk(string(args[1]))
	case isCommand(args, "PING"):
		return "+PONG\r\n"
	case isCommand(args, "COMMAND"):
		return commands
	case isCommand(args, "INFO"):
		return bulk("redis_version:" + fakeVersion + "\r\n")
	default: // SET, CLIENT, READONLY and the like
		return "+OK\r\n"
	}
}

// commands spells COMMAND: *n ( *6 $name :arity *flags :first key :last key :step ). Clients that find a command
// missing there route it more slowly, and complain each time.
const commands = "*3\r\n" +
	"*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n" +
	"*6\r\n$3\r\nset\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n" +
	"*6\r\n$4\r\nmget\r\n:-2\r\n*1\r\n+readonly\r\n:1\r\n:-1\r\n:1\r\n"

func (n *fakeNode) value(key []byte) string {
	switch {
	case strings.HasPrefix(string(key), load.LargePrefix):
		return n.large
	case strings.HasPrefix(string(key), load.HugePrefix):
		return n.huge
	}
	return n.small
}

// fakeVersion is one that makes clients ask for CLUSTER SLOTS instead of SHARDS.
const fakeVersion = "6.2.14"

func hello(resp3 bool) string {
	head, proto := "*14\r\n", 2
	if resp3 {
		head, proto = "%7\r\n", 3
	}
	return head + bulk("server") + bulk("redis") + bulk("version") + bulk(fakeVersion) + bulk("proto") +
		fmt.Sprintf(":%d\r\n", proto) +
		bulk("id") + ":1\r\n" + bulk("mode") + bulk("cluster") + bulk("role") + bulk("master") + bulk("modules") + "*0\r\n"
}

func (n *fakeNode) cluster(subcommand string) string {
	switch subcommand {
	case "SLOTS":
		return n.slots
	case "MYID":
		return bulk(n.id)
	case "INFO":
		return bulk("cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:1\r\ncluster_my_epoch:1\r\n")
	default:
		return "-ERR unknown subcommand\r\n"
	}
}

func isCommand(args [][]byte, name string) bool {
	return len(args) > 0 && strings.EqualFold(string(args[0]), name)
}
