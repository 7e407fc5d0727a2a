package client

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script answers the commands that come to a node, GETs or SETs, with one reply each, and closes the connection after the last.
func script(conn net.Conn, replies ...string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, reply := range replies {
		head, err := in.ReadString('\n')
		for lines := 2 * int(head[1]-'0'); err == nil && lines > 0; lines-- {
			_, err = in.ReadString('\n')
		}
		for _, part := range strings.SplitAfter(reply, "|") { // what a reader gets at once
			if _, failed := conn.Write([]byte(strings.TrimSuffix(part, "|"))); err != nil || failed != nil {
				return
			}
		}
	}
}

func TestFloorCountsNoOperationThatFailed(t *testing.T) {
	ours, theirs := net.Pipe()
	n := &floorConn{Conn: ours}
	f := &floor{conns: []*floorConn{n}}
	for slot := range f.owners {
		f.owners[slot] = n
	}
	f.readers.Go(n.read)
	f.readers.Go(func() { script(theirs, "$3\r|\nab|c\r\n", "+OK\r\n", "$-1\r\n", "-MOVED 1 :2\r\n") })

	value, err := f.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "abc", value)
	require.NoError(t, f.Set(t.Context(), "k", "v"))
	value, err = f.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Empty(t, value)
	require.ErrorIs(t, f.Set(t.Context(), "k", "v"), errFloor, "an error reply")
	for range 2 {
		require.ErrorIs(t, f.Set(t.Context(), "k", "v"), errFloor, "the connection has ended")
	}
	require.Empty(t, n.queue)
	f.Close()
}
