package keyslot_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Values as bytes, and whose memory they are: stories on two scripted nodes (see delivery_test.go).

func TestValuesAsBytes(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		bytes := []byte("a\r\n\x00")
		require.NoError(t, s.client.SetBytes(t.Context(), low, bytes, command.EX(time.Minute)))
		copy(bytes, "----")
		require.Equal(t, []string{"SET hello a\r\n\x00 EX 60"}, names(sent(s.lower, "SET")))

		s.lower.On("GET", value, says("$0\r\n"), says("_"), says("*0"))
		got, err := s.client.GetBytes(t.Context(), low)
		require.NoError(t, err)
		require.Equal(t, "value", string(got))
		got, err = s.client.GetBytes(t.Context(), low)
		require.NoError(t, err)
		require.Equal(t, []byte{}, got, "empty is not missing")
		got, err = s.client.GetBytes(t.Context(), low)
		require.ErrorIs(t, err, keyslot.Nil)
		require.Nil(t, got)
		_, err = s.client.GetBytes(t.Context(), low)
		require.ErrorAs(t, err, new(*command.TypeError))
	})
}

// A long reply is handed on without another copy: nothing that comes later may be written over it.
func TestAValueStaysWhatItWas(t *testing.T) {
	for _, size := range []int{10, 64<<10 - 20, 64 << 10, 64<<10 + 20, 1 << 20} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				if r.Name() != "GET" {
					return fakenode.Reaction{}, false
				}
				if r.Args[1] == "{hello}c" {
					return fakenode.Reaction{Send: bulk(10)}, true
				}
				return fakenode.Reaction{Send: strings.ReplaceAll(bulk(size), "x", r.Args[1][len("{hello}"):])}, true
			})
			text, err := s.client.Get(t.Context(), "{hello}a")
			require.NoError(t, err)
			bytes, err := s.client.GetBytes(t.Context(), "{hello}b")
			require.NoError(t, err)
			for range 3 {
				_, err := s.client.Get(t.Context(), "{hello}c")
				require.NoError(t, err)
			}
			require.True(t, text == strings.Repeat("a", size))
			require.True(t, string(bytes) == strings.Repeat("b", size))
			require.True(t, string(append(bytes, "tail"...)) == strings.Repeat("b", size)+"tail")
		})
	}
}

func TestGetAppendWritesBehindWhatIsThere(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", value, says("_"), says("-ERR broken"))
		room := append(make([]byte, 0, 64), "name="...)
		got, err := s.client.GetAppend(t.Context(), room, low)
		require.NoError(t, err)
		require.Equal(t, "name=value", string(got))
		require.Same(t, &room[0], &got[0])
		for range 2 {
			clear(room[len(room):cap(room)])
			got, err = s.client.GetAppend(t.Context(), room, low)
			require.Error(t, err)
			require.Equal(t, "name=", string(got))
			require.Equal(t, make([]byte, 59), room[len(room):cap(room)])
		}
	})
}

// The race detector sees whoever touches the buffer behind the caller's back.
func TestGetAppendLeavesTheBufferAloneOnceItHasReturned(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", fakenode.Reaction{Send: "$1000\r\n" + strings.Repeat("x", 1000) + "\r\n", Piece: 10, Gap: time.Millisecond}, value)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel) // half of it is there
		buffer := make([]byte, 1000)
		got, err := s.client.GetAppend(ctx, buffer[:0], low)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.Empty(t, got)
		for range 100 {
			require.Equal(t, make([]byte, 1000), buffer)
			time.Sleep(time.Millisecond)
			synctest.Wait()
			buffer[0]++
			buffer[0]--
		}
		got, err = s.client.GetAppend(t.Context(), buffer[:0], low)
		require.NoError(t, err)
		require.Equal(t, "value", string(got), "the reply to the first is nobody's")
	})
}
