package keyslottest_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// raw sends bytes, closes that half of the connection, and returns all the node said.
func raw(t testing.TB, addr string, sent []byte) string {
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	nc.Write(sent) // the node may hang up before it has read all
	nc.(*net.TCPConn).CloseWrite()
	said, _ := io.ReadAll(nc)
	return string(said)
}

func TestRequestsThatAreNone(t *testing.T) {
	open := start(t, keyslottest.Options{Shards: 1})
	locked := start(t, keyslottest.Options{Shards: 1, Password: "secret"})
	for sent, want := range map[string]string{
		"*1\r\n+PING\r\n":                       "-ERR Protocol error: expected '$', got '+'\r\n",
		"*1\r\n\r\n":                            "-ERR Protocol error: expected '$', got '\r'\r\n",
		"*x\r\n":                                "-ERR Protocol error: invalid multibulk length\r\n",
		"*99999999999\r\n":                      "-ERR Protocol error: invalid multibulk length\r\n",
		"*1\r\n$-1\r\n":                         "-ERR Protocol error: invalid bulk length\r\n",
		"*1\r\n$99999999999\r\n":                "-ERR Protocol error: invalid bulk length\r\n",
		"*1\r\n$x\r\n":                          "-ERR Protocol error: invalid bulk length\r\n",
		"\"abc\r\n":                             "-ERR Protocol error: unbalanced quotes in request\r\n",
		strings.Repeat("x", 65<<10):             "-ERR Protocol error: too big inline request\r\n",
		"*" + strings.Repeat("1", 65<<10):       "-ERR Protocol error: too big mbulk count string\r\n",
		"*1\r\n$" + strings.Repeat("1", 65<<10): "-ERR Protocol error: too big bulk count string\r\n",
		"*1\r\n$4\r\nPING\r\n*x\r\n":            "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n",
		"PING\r\nECHO 'a b'\r\nECHO \"\\x41\\n\"\r\n\r\n": "+PONG\r\n$3\r\na b\r\n$2\r\nA\n\r\n",
		"*0\r\n*-1\r\nPING\n":                             "+PONG\r\n",
		"*1\r\n$4\r\nPI":                                  "",
		"*1\r\n$4\r\nPINGxxPING":                          "+PONG\r\n",
	} {
		want = strings.Replace(want, "'\r'", "' '", 1) // an error is one line
		require.Equal(t, want, raw(t, open.Endpoint(), []byte(sent)), "%.50q", sent)
	}
	require.Equal(t, "-ERR Protocol error: unauthenticated multibulk length\r\n", raw(t, locked.Endpoint(), []byte("*11\r\n")))
	require.Equal(t, "-ERR Protocol error: unauthenticated bulk length\r\n", raw(t, locked.Endpoint(), []byte("*1\r\n$16385\r\n")))
}

func TestABigRequestByteByByte(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	s := connect(t, c.Endpoint())
	value := strings.Repeat("v", 3<<20)
	require.NoError(t, s.send("SET", "a", value))
	reply, err := s.reply()
	require.NoError(t, err)
	require.Equal(t, "+OK\r\n", reply)
	s.want("$3145728\r\n"+value, "GET a")
	for _, b := range []byte("*2\r\n$6\r\nSTRLEN\r\n$1\r\na\r\n") {
		_, err := s.nc.Write([]byte{b})
		require.NoError(t, err)
	}
	reply, err = s.reply()
	require.NoError(t, err)
	require.Equal(t, ":3145728\r\n", reply)
}

func TestAScriptThatGoesAstray(t *testing.T) {
	s := connect(t, start(t, keyslottest.Options{Shards: 1}).Endpoint())
	s.want("$-1", "EVAL return(function()end) 0")
	require.NoError(t, s.send("EVAL", "local t={} t[1]=t return t", "0"))
	reply, err := s.reply()
	require.NoError(t, err)
	require.Contains(t, reply, "-ERR reached lua stack limit\r\n")
	require.NoError(t, s.send("EVAL", "local function f() return 1+f() end return f()", "0"))
	reply, err = s.reply()
	require.NoError(t, err)
	require.Contains(t, reply, "stack overflow")
	require.NoError(t, s.send("EVAL", "return string.rep('x',-1)..cjson.encode(string.rep('x',100000))", "0"))
	reply, err = s.reply()
	require.NoError(t, err)
	require.Len(t, reply, 100013)
	s.want("+OK", "SET a x")
	s.want("$1\r\nx", "EVAL return(redis.call('GET',KEYS[1])) 1 a")
}

// FuzzNode sends anything to a node. It has to survive, and to go on serving others.
func FuzzNode(f *testing.F) {
	for _, s := range situations {
		f.Add([]byte(s.script))
	}
	f.Add([]byte("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nx\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n"))
	f.Add([]byte("MULTI\r\nSET a x\r\nEXEC\r\nHELLO 3\r\nSCAN 0 MATCH [a-\\\r\nEVAL return{1} 0\r\nXREAD STREAMS a $\r\n"))
	f.Add([]byte("SET a x PX 1\r\nBLPOP b 0.001\r\nWATCH a\r\nZADD z 1 a\r\nZRANGE z 0 -1 WITHSCORES\r\nINFO x\r\n"))
	c := start(f, keyslottest.Options{Shards: 1, ManualClock: true})
	f.Fuzz(func(t *testing.T, sent []byte) {
		if bytes.Contains(bytes.ToUpper(sent), []byte("EVAL")) {
			t.Skip("scripts may loop for ever")
		}
		for _, heavy := range []string{"SETBIT", "SETRANGE", "RANDMEMBER", "RANDFIELD"} {
			if bytes.Contains(bytes.ToUpper(sent), []byte(heavy)) {
				t.Skip("asks for gigabytes, and would get them")
			}
		}
		raw(t, c.Endpoint(), sent)
		connect(t, c.Endpoint()).want("+PONG", "PING")
	})
}
