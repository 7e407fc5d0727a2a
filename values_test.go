package keyslot_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
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

func TestAReplyOfAnotherTypeNamesTheWholeCommand(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("OBJECT", says("*0"))
		_, err := s.client.ObjectEncoding(t.Context(), low)
		require.EqualError(t, err, "keyslot: OBJECT ENCODING: reply is an array, not a string")
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
			reply, err := s.client.Do(t.Context(), "GET", "{hello}d")
			require.NoError(t, err)
			for range 3 {
				_, err := s.client.Get(t.Context(), "{hello}c")
				require.NoError(t, err)
			}
			require.True(t, text == strings.Repeat("a", size))
			require.True(t, reply.String() == strings.Repeat("d", size))
			require.True(t, string(bytes) == strings.Repeat("b", size))
			require.True(t, string(append(bytes, "tail"...)) == strings.Repeat("b", size)+"tail")
		})
	}
}

// The values of a batch lie where its replies came to, or among others, and other batches follow.
func TestValuesOfManyCommandsStayWhatTheyWere(t *testing.T) {
	for _, size := range []int{100, wire.OwnReply - 20, wire.OwnReply, 20 << 10, 100 << 10} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			round := "a"
			value := func(key string) string { return strings.Repeat(key+round, size/(len(key)+1)) }
			answer := func(r fakenode.Request) (fakenode.Reaction, bool) {
				switch r.Name() {
				case "GET":
					return fakenode.Reaction{Send: string(resp.AppendBulk(nil, value(r.Args[1])))}, true
				case "MGET":
					reply := resp.AppendArray(nil, len(r.Args)-1)
					for _, key := range r.Args[1:] {
						reply = resp.AppendBulk(reply, value(key))
					}
					return fakenode.Reaction{Send: string(reply)}, true
				}
				return fakenode.Reaction{}, false
			}
			s.lower.Handle(answer)
			s.upper.Handle(answer)
			keys := []string{low, up, "bar", "{bar}2", "a", "b", "c"} // two of them in one slot
			values := func() (all []string) {
				some, err := s.client.MGet(t.Context(), keys...)
				require.NoError(t, err)
				p := s.client.Pipeline()
				more, first, second, third := p.MGet(keys...), p.Get(low), p.GetBytes(up), p.Do("GET", low)
				require.NoError(t, p.Exec(t.Context()))
				again, _ := more.Get()
				for _, value := range append(some, again...) {
					all = append(all, value.Value)
				}
				reply, err := s.client.Do(t.Context(), "MGET", low, up)
				require.NoError(t, err)
				texts, err := reply.Strings()
				require.NoError(t, err)
				text, _ := first.Get()
				bytes, _ := second.Get()
				reply, _ = third.Get()
				return append(append(all, texts...), text, unsafe.String(unsafe.SliceData(bytes), len(bytes)), reply.String())
			}
			got := values()
			var want []string
			for _, key := range append(append(slices.Clone(keys), keys...), low, up, low, up, low) {
				want = append(want, value(key))
			}
			for _, round = range []string{"b", "c", "d"} {
				values()
			}
			require.True(t, slices.Equal(want, got), size)
		})
	}
}

// The values of one slot come in one reply: to keep one of them is to keep no other.
func TestAValueOfManyKeepsNoOther(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const size, many = 1 << 20, 32
		s.lower.On("MGET", says("*%d\r\n%s", many, strings.TrimSuffix(strings.Repeat(bulk(size), many), "\r\n")))
		s.upper.On("MGET", says("*1\r\n$1\r\na"))
		keys := []string{up}
		for i := range many {
			keys = append(keys, fmt.Sprint("{hello}", i))
		}
		before := heldMemory()
		values, err := s.client.MGet(t.Context(), keys...)
		require.NoError(t, err)
		one := values[5]
		synctest.Wait()
		require.Less(t, heldMemory()-before, int64(size*many/2))
		require.Len(t, one.Value, size)
	})
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

// Memory for a long value is not cleared first, and the caller gets all of it.
func TestABufferThatGetAppendMadeShowsNothingOfOthers(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const size = 200 << 10
		s.lower.On("GET", fakenode.Reaction{Send: bulk(size)})
		secrets := make([][]byte, 20)
		for range 5 {
			for i := range secrets {
				secrets[i] = bytes.Repeat([]byte("secret"), 300<<10/6)
			}
			clear(secrets)
			runtime.GC()
			got, err := s.client.GetAppend(t.Context(), nil, low)
			require.NoError(t, err)
			require.Len(t, got, size)
			require.Equal(t, make([]byte, cap(got)-len(got)), got[len(got):cap(got)])
		}
	})
}

// The race detector sees whoever touches the buffer behind the caller's back: the connection's reader, or whoever goes on
// reading after a caller that, alone for long, read for itself. A long value is not read into the memory that a short one is.
func TestGetAppendLeavesTheBufferAloneOnceItHasReturned(t *testing.T) {
	for _, size := range []int{1000, 512 << 10} {
		for name, before := range map[string]int{"the reader reads": 0, "a lone caller reads": 100} {
			t.Run(fmt.Sprintf("%d bytes, %s", size, name), func(t *testing.T) {
				story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
					slow := fakenode.Reaction{Send: bulk(size), Piece: size / 100, Gap: time.Millisecond}
					s.lower.On("GET", append(slices.Repeat([]fakenode.Reaction{value}, before), slow, value)...)
					for range before {
						_, err := s.client.Get(t.Context(), low)
						require.NoError(t, err)
					}
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(50*time.Millisecond, cancel) // half of it is there
					buffer, empty := make([]byte, size), make([]byte, size)
					got, err := s.client.GetAppend(ctx, buffer[:0], low)
					require.ErrorIs(t, err, context.Canceled)
					require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
					require.Empty(t, got)
					for range 100 {
						require.Equal(t, empty, buffer)
						time.Sleep(time.Millisecond)
						synctest.Wait()
						touch(buffer)
					}
					got, err = s.client.GetAppend(t.Context(), buffer[:0], low)
					require.NoError(t, err)
					require.Equal(t, "value", string(got), "the reply to the first is nobody's")
				})
			})
		}
	}
}

// touch writes here and there in the buffer, and leaves it as it was. The race detector forgets what was long
// ago, so ten places.
func touch(buffer []byte) {
	for i := 0; i < len(buffer); i += len(buffer) / 10 {
		buffer[i]++
		buffer[i]--
	}
}
