package resp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func TestElementsAreWalkedOneByOne(t *testing.T) {
	const first, second, third = "$1\r\na\r\n", "*2\r\n:1\r\n$-1\r\n", "_\r\n"
	elems, ok := resp.Open([]byte("|1\r\n+ttl\r\n:3\r\n~3\r\n" + first + second + third))
	require.True(t, ok)
	for i, want := range []string{first, second, third} {
		require.Equal(t, 3-i, elems.Left())
		if i == 1 {
			require.Equal(t, second+third, string(elems.Rest()))
		}
		frame, ok := elems.Next()
		require.True(t, ok)
		require.Equal(t, want, string(frame))
		require.Equal(t, len(frame), cap(frame), "appending to one cannot reach the next")
	}
	_, ok = elems.Next()
	require.False(t, ok)
}

func TestTheLastElementIsAllTheRest(t *testing.T) {
	const first, last = "$1\r\na\r\n", "*2\r\n:1\r\n$-1\r\n"
	elems, ok := resp.Open([]byte("*2\r\n" + first + last))
	require.True(t, ok)
	_, ok = elems.Last()
	require.False(t, ok, "another one is left")
	frame, ok := elems.Next()
	require.True(t, ok)
	require.Equal(t, first, string(frame), "nothing was taken")
	frame, ok = elems.Last()
	require.True(t, ok)
	require.Equal(t, last, string(frame))
	require.Equal(t, len(frame), cap(frame))
	require.Zero(t, elems.Left())
	_, ok = elems.Last()
	require.False(t, ok)
}

func TestOnlyListsHaveElements(t *testing.T) {
	for _, frame := range []string{"", "+OK\r\n", "$1\r\na\r\n", "%1\r\n+a\r\n+b\r\n", "*-1\r\n", "*?\r\n.\r\n", "*1000000\r\n:1\r\n", "*"} {
		_, ok := resp.Open([]byte(frame))
		require.False(t, ok, "%q", frame)
	}
	for _, frame := range []string{"*2\r\n:1\r\n:\r\n", "*2\r\n$1\r\na\r\n$9\r\n"} { // they lie
		elems, ok := resp.Open([]byte(frame))
		require.True(t, ok, "%q", frame)
		_, ok = elems.Next()
		require.True(t, ok)
		_, ok = elems.Next()
		require.False(t, ok, "%q", frame)
	}
}

func TestPairsAreWalkedWhetherTheyAreAMapOrAnArray(t *testing.T) {
	for _, frame := range []string{"%1\r\n+a\r\n:1\r\n", "*2\r\n+a\r\n:1\r\n"} {
		e, ok := resp.OpenPairs([]byte(frame))
		require.True(t, ok, frame)
		require.Equal(t, 2, e.Left(), frame)
		key, _ := e.Next()
		require.Equal(t, "+a\r\n", string(key))
		value, _ := e.Next()
		require.Equal(t, ":1\r\n", string(value))
		_, ok = e.Next()
		require.False(t, ok)
	}
	for _, frame := range []string{"*1\r\n+a\r\n", "~2\r\n+a\r\n:1\r\n", "*-1\r\n", "_\r\n", ":1\r\n", "%9\r\n+a\r\n:1\r\n", ""} {
		_, ok := resp.OpenPairs([]byte(frame))
		require.False(t, ok, "%q", frame)
	}
}

func TestElementsOfAnElementAreWalkedInItsPlace(t *testing.T) {
	elems, ok := resp.Open([]byte("*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n"))
	require.True(t, ok)
	n, ok := elems.Enter()
	require.True(t, ok)
	require.Equal(t, 2, n)
	for left := 3; left > 0; left-- {
		require.Equal(t, left, elems.Left())
		_, ok = elems.Enter()
		require.False(t, ok, "an integer has no elements")
		_, ok = elems.Next()
		require.True(t, ok)
	}
	_, ok = elems.Enter()
	require.False(t, ok)
}
