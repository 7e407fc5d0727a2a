package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func TestWhatTheServersHold(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cluster := realcluster.Start(t, realcluster.Options{})
	slot := keyslot.Slot(books)
	owner, err := cluster.Primary(ctx, int(slot))
	require.NoError(t, err)
	for _, command := range [][]string{{"HINCRBY", books, "w1", "1"}, {"HINCRBY", books, "w2", "2"}, {"RPUSH", "{a}list", "1", "2"}} {
		_, err := cluster.Do(ctx, owner, command...)
		require.NoError(t, err)
	}
	bare := ledger.StartBare(cluster, books, slot)
	records := []ledger.Record{
		{Kind: ledger.Write, Key: books, Slot: slot}, {Kind: ledger.Push, Key: "{a}list", Slot: keyslot.Slot("{a}list")},
		{Kind: ledger.Write, Key: "{b}empty", Slot: keyslot.Slot("{b}empty")},
	}
	held := ledger.Held{}
	require.Eventually(t, func() bool {
		held, err = ledger.Read(ctx, cluster, records)
		return err == nil && len(held.Hashes[books]) > 10
	}, 10*time.Second, 20*time.Millisecond)
	written := bare.Stop()
	require.Greater(t, len(written), 8)
	require.Equal(t, "1", held.Hashes[books][written[0].ID])
	require.Equal(t, "2", held.Hashes[books]["w2"])
	require.Equal(t, map[string][]string{"{a}list": {"1", "2"}}, held.Lists)

	require.NoError(t, ledger.Clear(ctx, cluster))
	held, err = ledger.Read(ctx, cluster, records)
	require.NoError(t, err)
	require.Empty(t, held.Hashes)
	require.Empty(t, held.Lists)
}

func TestANodesOwnSlots(t *testing.T) {
	own, err := ledger.OwnSlots("b 127.0.0.1:1@2 master - 0 1 2 connected 5-9\n" +
		"a 127.0.0.1:3@4 myself,master - 0 1 2 connected 0-3 7000 [7000->-b] [9-<-b]\n")
	require.NoError(t, err)
	require.Equal(t, []ledger.SlotRange{{First: 0, Last: 3}, {First: 7000, Last: 7000}}, own)

	own, err = ledger.OwnSlots("a 127.0.0.1:3@4 myself,slave b 0 1 2 connected\n")
	require.NoError(t, err)
	require.Empty(t, own)
	_, err = ledger.OwnSlots("a 127.0.0.1:3@4 myself,master - 0 1 2 connected 3-99999\n")
	require.Error(t, err)
}
