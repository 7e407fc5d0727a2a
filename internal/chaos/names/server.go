package names

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// What a Server says of a name.
const (
	found  = "found" // followed by the addresses
	gone   = "gone"
	failed = "failed"
)

// Trouble is what happens to lookups. The zero Trouble is none.
type Trouble struct {
	Delay time.Duration // before each answer
	Fail  bool          // as a name server does that is overloaded: not an answer that the name does not exist
}

// Server holds records and answers Resolvers. Its methods are safe for concurrent use.
type Server struct {
	// immutable
	listener net.Listener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc

	running sync.WaitGroup

	// guarded by mu
	mu      sync.Mutex
	records map[string][]netip.Addr
	trouble Trouble
	asked   map[string]int
}

// Listen starts a Server without records on a free port of loopback. The caller must call Close.
func Listen() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{listener: listener, records: make(map[string][]netip.Addr), asked: make(map[string]int)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.accept) // ends with the listener, which Close closes
	return s, nil
}

// Addr returns the host:port for Resolver.Server.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Set gives name these records, in place of all that it had. Without any, the name does not exist.
func (s *Server) Set(name string, addrs ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[name] = slices.Clone(addrs)
}

// SetTrouble makes lookups that come from now on meet trouble.
func (s *Server) SetTrouble(trouble Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = trouble
}

// Asked returns how often name was looked up since Listen.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

// Close ends all lookups without an answer, and waits until everything that belongs to the Server has ended.
func (s *Server) Close() {
	s.cancel()
	_ = s.listener.Close()
	s.running.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		// Ends with its answer, or with Close, which waits for it.
		s.running.Go(func() { s.serve(conn) })
	}
}

// patience bounds a lookup whose Resolver says nothing.
const patience = 10 * time.Second

func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(s.ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	answer, delay := s.look(strings.TrimSuffix(line, "\n"))
	select {
	case <-s.ctx.Done():
		return
	case <-time.After(delay):
	}
	_, _ = fmt.Fprintln(conn, answer) // whoever asked may have gone
}

func (s *Server) look(name string) (answer string, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[name]++
	if s.trouble.Fail {
		return failed, s.trouble.Delay
	}
	addrs := s.records[name]
	if len(addrs) == 0 {
		return gone, s.trouble.Delay
	}
	answer = found
	for _, addr := range addrs {
		answer += " " + addr.String()
	}
	return answer, s.trouble.Delay
}
