package keyslot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

// The first command of the pipeline is refused for a moment, and those behind it run.
func TestAFutureSaysThatItsCommandRanBehindALaterOne(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), ok)
		s.lower.On("INCR", one)
		s.lower.On("GET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), value)
		p := s.client.Pipeline()
		overtaken, read, other, later := p.Set(low, "1"), p.Get(low), p.Set("{"+low+"}x", "1"), p.Incr(low)
		require.False(t, overtaken.Reordered(), "nobody knows yet")
		require.NoError(t, p.Exec(t.Context()))
		require.True(t, overtaken.Reordered())
		require.True(t, read.Reordered(), "it saw what a later one wrote")
		require.False(t, other.Reordered(), "of its slot, but of another key")
		require.False(t, later.Reordered())

		s.lower.On("GET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), value)
		s.lower.On("STRLEN", one)
		first, _ := p.Get(low), p.StrLen(low)
		require.NoError(t, p.Exec(t.Context()))
		require.False(t, first.Reordered(), "two reads have no order")
	})
}

func TestAnOrderedPipelineDoesNotSendAgainWhatWasOvertaken(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), ok)
		s.lower.On("INCR", one)
		p := s.client.Pipeline().Ordered()
		overtaken, later, behind := p.Set(low, "1"), p.Incr(low), p.Set(low, "2")
		require.ErrorAs(t, p.Exec(t.Context()), new(*keyslot.PipelineError))
		require.ErrorIs(t, overtaken.Err(), keyslot.ErrNotExecuted)
		require.True(t, overtaken.Reordered())
		require.NoError(t, later.Err())
		require.NoError(t, behind.Err())
		require.Equal(t, []string{"SET hello 1", "SET hello 2"}, names(sent(s.lower, "SET")))

		s.lower.On("SET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), ok)
		again := p.Set(low, "1")
		require.NoError(t, p.Exec(t.Context()), "nothing overtook it")
		require.False(t, again.Reordered())
	})
}
