package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/coldstart/first"
)

func TestEveryFigureIsTheMedianOfItsOwn(t *testing.T) {
	got := median([]run{
		{first.Result{FirstReply: 3 * time.Millisecond, Handshakes: 1, Goroutines: 9}, 7},
		{first.Result{FirstReply: time.Millisecond, Handshakes: 3, Goroutines: 8}, 5},
		{first.Result{FirstReply: 2 * time.Millisecond, Handshakes: 2, Goroutines: 7}, 6},
	})
	require.Equal(t, run{first.Result{FirstReply: 2 * time.Millisecond, Handshakes: 2, Goroutines: 8}, 6}, got)
}

func TestTableComparesWithTheFirstRow(t *testing.T) {
	var out bytes.Buffer
	table := newTable(&out)
	table.add("1 shard", []measured{
		{program{"keyslot", "", 6_000_000}, run{first.Result{FirstReply: 2 * time.Millisecond}, 1}},
		{program{"other", "", 9_000_000}, run{first.Result{FirstReply: 5 * time.Millisecond}, 4}},
	})
	require.NoError(t, table.flush())
	require.Contains(t, out.String(),
		"| 1 shard | other   | 4     | 0              | 5.00 ms     | 2.5       | 0          | 9.0 MB  |")
}

func TestRoundsMustBePositive(t *testing.T) {
	require.Error(t, compare(context.Background(), 0, new(bytes.Buffer)))
}
