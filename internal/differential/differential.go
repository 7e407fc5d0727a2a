// Package differential calls every typed method with guessed arguments, through a client of a cluster and on one plain
// server by raw RESP, so that a test can compare the two. What there is to call stands in calls_gen.go, which go
// generate ./command makes from the same tables as the methods.
package differential

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// Call is one typed method.
type Call struct {
	Group   string // its table
	Method  string
	Command string
	Run     func(ctx context.Context, c command.Commands, g *Guess) (any, error)
}

// Plain is one connection to one server, without any cluster. It is for one goroutine.
type Plain struct {
	conn  net.Conn
	read  *bufio.Reader
	Args  []string // of the last call
	Frame []byte   // its reply
}

// NewPlain speaks RESP2, or RESP3, on a connection.
func NewPlain(conn net.Conn, proto int) (*Plain, error) {
	p := &Plain{conn: conn, read: bufio.NewReader(conn)}
	if proto == 2 {
		return p, nil
	}
	return p, p.Do("HELLO", "3")
}

// Begin lends a call that runs on the connection.
func (p *Plain) Begin() *command.Call {
	call := new(command.Call)
	*call = command.NewCall(func(context.Context) error { return p.run(call) }, func() {})
	return call
}

func (p *Plain) run(call *command.Call) error {
	if err := call.Refused(); err != nil {
		return err
	}
	p.Args = p.Args[:0]
	for i := range call.Request.Len() {
		p.Args = append(p.Args, string(call.Request.At(i)))
	}
	err := p.roundTrip(call.Request.Frame())
	call.Frame = p.Frame
	if said, ok := err.(command.ServerError); ok && !ownWords(p.Args[0], said) { //nolint:errorlint // it is made below
		err = command.ServerError(resp.Conceal(string(said), &call.Request)) // as the client does
	}
	if err != nil {
		err = &command.Error{Command: p.Args[0], Slot: command.NoSlot, Outcome: command.Answered, Err: err}
	}
	return err
}

// ownWords reports whether an error is a script's own, which is shown as it is.
func ownWords(name string, said command.ServerError) bool {
	script := strings.HasPrefix(name, "EVAL") || strings.HasPrefix(name, "FCALL")
	return script && !strings.HasPrefix(string(said), "ERR Error compiling")
}

// Do runs a command that must succeed.
func (p *Plain) Do(args ...string) error {
	var r resp.Request
	for _, arg := range args {
		r.Arg(arg)
	}
	if err := p.roundTrip(r.Frame()); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// patience is how long a server may take to answer.
const patience = 20 * time.Second

// roundTrip sends a request and reads its reply, an error reply as a ServerError.
func (p *Plain) roundTrip(request []byte) error {
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := p.conn.Write(request); err != nil {
		return err
	}
	var scanner resp.Scanner
	var frame []byte
	for whole := 0; whole == 0; {
		more := make([]byte, scanner.Missing()) // a lower bound, so nothing of the next reply is taken
		if _, err := io.ReadFull(p.read, more); err != nil {
			return err
		}
		frame = append(frame, more...)
		var err error
		if whole, err = scanner.Scan(frame); err != nil {
			return err
		}
	}
	p.Frame = frame
	if kind := resp.KindOf(frame); kind == resp.SimpleError || kind == resp.BulkError {
		text, _ := resp.Payload(frame)
		return command.ServerError(text)
	}
	return nil
}
