package servers

import (
	"io"
	"net"
	"time"
)

// delay is what the proxy adds to every round trip: it keeps replies for so long, and lets requests through at once.
const delay = 500 * time.Microsecond

// backlog is how many pieces of replies a connection may have waiting. A full one holds up the server, as a slow network does.
const backlog = 4096

// serveProxies listens for each node at an address of its own, and returns these. Its goroutines end with the process.
func serveProxies(nodes []string) ([]string, error) {
	var detours []string
	for _, node := range nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		go acceptAll(l, func(client net.Conn) { proxy(client, node) })
		detours = append(detours, l.Addr().String())
	}
	return detours, nil
}

// acceptAll serves each connection of l in a goroutine, until l is closed.
func acceptAll(l net.Listener, serve func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go serve(conn)
	}
}

// proxy connects client to node until one of them closes.
func proxy(client net.Conn, node string) {
	defer client.Close()
	server, err := net.Dial("tcp", node)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { // ends when client or server is closed, at the latest by this function
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	late := make(chan piece, backlog)
	go func() { // ends with late, closed below
		for p := range late {
			sleepUntil(p.due)
			_, _ = client.Write(p.bytes)
		}
		_ = client.Close()
	}()
	readPieces(server, late)
	close(late)
}

// piece is what one read of a server's replies gave, and when the client gets it.
type piece struct {
	due   time.Time
	bytes []byte
}

func readPieces(server io.Reader, late chan<- piece) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		late <- piece{time.Now().Add(delay), append([]byte(nil), buffer[:n]...)}
	}
}
