package command_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

// desk lends calls, and answers each with what is written down for it.
type desk struct{ calls []*command.Call }

func (d *desk) Begin() *command.Call {
	call := command.NewCall(func(context.Context) error { return nil }, func() {})
	d.calls = append(d.calls, &call)
	return &call
}

func TestAFutureHoldsWhatTheMethodOfCommandsReturns(t *testing.T) {
	var d desk
	q := command.NewQueued(&d)
	get, missing, odd, lost, mget := q.Get("a"), q.Get("b"), q.Get("c"), q.Incr("d"), q.MGet("a", "b")
	require.Equal(t, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", string(d.calls[0].Request.Frame()))
	for i, frame := range []string{"$1\r\n1\r\n", "_\r\n", "*0\r\n", "", "*2\r\n$1\r\n1\r\n_\r\n"} {
		require.Error(t, []interface{ Err() error }{get, missing, odd, lost, mget}[i].Err(), "not settled yet")
		d.calls[i].Frame = []byte(frame)
		if i == 3 {
			require.ErrorIs(t, command.Settle(&q, d.calls[i], command.ErrClosed), command.ErrClosed)
			continue
		}
		err := command.Settle(&q, d.calls[i], nil)
		require.Equal(t, i == 2, err != nil, "a wrong type is a failure, Nil is none")
	}
	value, err := get.Get()
	require.NoError(t, err)
	require.Equal(t, "1", value)
	require.ErrorIs(t, missing.Err(), command.Nil)
	require.ErrorAs(t, odd.Err(), new(*command.TypeError))
	require.ErrorIs(t, lost.Err(), command.ErrClosed)
	values, err := mget.Get()
	require.NoError(t, err)
	require.Equal(t, []command.Optional[string]{{Value: "1", OK: true}, {}}, values)
	require.ErrorContains(t, new(command.Future[string]).Err(), "zero Future")
}
