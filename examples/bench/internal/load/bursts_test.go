package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

func TestManyOfAKindAreOneEvent(t *testing.T) {
	var now time.Duration
	b := newBursts(func() time.Duration { return now })
	at := func(milliseconds int) { now = time.Duration(milliseconds) * time.Millisecond }

	at(-100)
	b.note(record.Redirect, "MOVED", 1) // in the warm-up
	at(100)
	b.note(record.Redirect, "MOVED", 1)
	b.note(record.Refresh, "new map", 1)
	at(600)
	b.note(record.Redirect, "MOVED", 2)
	require.Empty(t, b.over(false), "both may go on")
	at(1200)
	require.Equal(t, []record.Event{{At: 0.1, Kind: record.Refresh, Text: "new map"}}, b.over(false))
	at(1600)
	require.Equal(t, []record.Event{{At: 0.1, Kind: record.Redirect, Text: "MOVED, 3 times in 0.5 s"}}, b.over(false))
	require.Empty(t, b.over(true))
}

func TestALongBurstIsCut(t *testing.T) {
	var now time.Duration
	b := newBursts(func() time.Duration { return now })
	var events []record.Event
	for ; now < 12*time.Second; now += 500 * time.Millisecond {
		b.note(record.Redirect, "ASK", 1)
		events = append(events, b.over(false)...)
	}
	events = append(events, b.over(true)...)
	require.Len(t, events, 3)
	require.Equal(t, "ASK, 11 times in 5.0 s", events[0].Text)
	require.Equal(t, 5.5, events[1].At)
}

func TestWhatIsOpenIsBounded(t *testing.T) {
	b := newBursts(func() time.Duration { return 0 })
	for i := range 10 * mostBursts {
		b.note(record.Failure, string(rune('a'+i)), 1)
	}
	require.Len(t, b.over(true), mostBursts)
}
