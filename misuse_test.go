package keyslot_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func nobody(context.Context, keyslot.Entry) error { return nil }

func TestAConsumerOfWrongUseDoesNotRun(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	opts := keyslot.ConsumerOptions{Group: "g", Name: "me", Streams: []string{"s"}, CreateFrom: "0"}
	_, err := keyslot.NewConsumer(nil, opts)
	require.ErrorAs(t, err, new(*keyslot.OptionError))
	for id, right := range map[string]bool{
		"": true, "$": true, "0": true, "0-0": true, "1526919030474-55": true,
		"-": false, "+": false, ">": false, "5-": false, "-5": false, "5-*": false,
	} {
		opts.CreateFrom = id
		_, err := keyslot.NewConsumer(client, opts)
		require.Equal(t, right, err == nil, id)
	}
	opts.CreateFrom = "0"
	consumer, err := keyslot.NewConsumer(client, opts)
	require.NoError(t, err)
	require.EqualError(t, consumer.Run(t.Context(), nil), "keyslot: the function that is to handle the entries is nil")
	require.EqualError(t, consumer.Run(nil, nobody), "keyslot: the context is nil") //nolint:staticcheck // that is the point
	require.ErrorContains(t, new(keyslot.Consumer).Run(t.Context(), nobody), "make one by NewConsumer")
}

func TestTheZeroSubscriptionSaysThatItIsNone(t *testing.T) {
	var sub keyslot.Subscription
	require.ErrorContains(t, sub.Add(t.Context(), "news"), "zero Subscription")
	require.ErrorContains(t, sub.Close(), "zero Subscription")
	for _, err := range sub.Messages(t.Context()) {
		require.ErrorContains(t, err, "zero Subscription")
	}
}
