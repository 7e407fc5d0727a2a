package keyslot_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// A primary that answers, and has no room for one more connection, is not lost.

var noRoom = fakenode.Reaction{Send: "-ERR max number of clients reached\r\n", End: fakenode.FIN}

// What fails is a dial by somebody else, and nobody dials again. Those that block go on where they are.
func TestAPrimaryThatAnswersIsNotMissedForDialsThatWereRefused(t *testing.T) {
	for name, dials := range map[string]func(ctx context.Context, client *keyslot.Client) error{
		"a command that blocks": func(ctx context.Context, client *keyslot.Client) error {
			_, err := client.Do(ctx, "BLPOP", low, 0)
			return err
		},
		"a subscription": func(ctx context.Context, client *keyslot.Client) error {
			_, err := client.SSubscribe(ctx, low)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			opts := keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			witnesses(t, opts, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
				s.lower.On("BLPOP", stuck())
				go func() { _, _ = client.Do(t.Context(), "BLPOP", low, 0) }() // ends with the client
				time.Sleep(2 * time.Second)
				s.lower.Greet(noRoom)
				require.Error(t, dials(within(t, 300*time.Millisecond), client))
				time.Sleep(2 * missedFor) // whoever failed may have complained
				synctest.Wait()
				log.Reset()
				before := len(sent(s.spare, "EXISTS"))
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Len(t, sent(s.spare, "EXISTS"), before)
				require.Empty(t, log.String())
				s.lower.StopReading()
				time.Sleep(12 * time.Second) // it is asked every 5 s, the failed dial being forgotten, and still answers what it is reading
				require.Greater(t, len(sent(s.spare, "EXISTS")), before, "its silence is noticed all the same")
			})
		})
	}
}

// A subscription dials again and again, for as long as there is no room for it.
func TestAPrimaryThatAnswersIsNotMissedForASubscription(t *testing.T) {
	var log bytes.Buffer
	opts := keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	witnesses(t, opts, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		s.lower.On("GET", value)
		_, err := client.Get(t.Context(), low)
		require.NoError(t, err)
		answer := o.answer(lower)
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if isSubscription(r) {
				return confirm(3, r), true
			}
			return answer(r)
		})
		_, err = client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		subscribed := sent(s.lower, "SSUBSCRIBE")[0].Conn
		s.lower.Greet(noRoom)
		s.lower.CutConn(subscribed, fakenode.RST)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, sent(s.spare, "EXISTS"))
		require.Empty(t, log.String())
		s.lower.StopReading()
		time.Sleep(3 * time.Second)
		require.NotEmpty(t, sent(s.spare, "EXISTS"), "its silence is noticed all the same")
	})
}
