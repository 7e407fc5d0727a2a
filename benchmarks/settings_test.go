package main

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// What was measured on another cluster, or with another garbage collection, must not count as done.
func TestASessionHasWhatFiguresDependOn(t *testing.T) {
	t.Setenv("GOGC", "")
	own, err := newSession(options{})
	require.NoError(t, err)
	theirs, err := newSession(options{addr: "10.0.0.1:6379"})
	require.NoError(t, err)
	require.NotEqual(t, own, theirs)

	t.Setenv("GOGC", "100")
	same, err := newSession(options{})
	require.NoError(t, err)
	require.Equal(t, own, same, "that is the default")
	t.Setenv("GOGC", "400")
	other, err := newSession(options{})
	require.NoError(t, err)
	require.NotEqual(t, own, other)
}

func TestASessionNamesItsGoVersionAndItsClients(t *testing.T) {
	session, err := newSession(options{})
	require.NoError(t, err)
	require.Equal(t, runtime.Version(), session.Go)
	require.Contains(t, session.Peers, "github.com/redis/rueidis v")
}
