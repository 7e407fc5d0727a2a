package keyslot_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestPipelineAnswersEachCommandInItsFuture(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	p := client.Pipeline()
	for range 3 {
		var sets []*keyslot.Future[struct{}]
		var gets []*keyslot.Future[string]
		for i := range 100 {
			key := fmt.Sprint("key:", i)
			sets = append(sets, p.Set(key, "value of "+key))
			gets = append(gets, p.Get(key))
		}
		missing := p.Get("missing")
		exists := p.Exists("key:1", "key:2", "missing", "key:1")
		many := p.MGet("key:1", "missing", "key:2")
		_, err := missing.Get()
		require.ErrorContains(t, err, "call Exec first")
		require.NoError(t, p.Exec(t.Context()))
		for i := range sets {
			require.NoError(t, sets[i].Err())
			got, err := gets[i].Get()
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("value of key:", i), got)
		}
		require.ErrorIs(t, missing.Err(), keyslot.Nil)
		n, err := exists.Get()
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		values, err := many.Get()
		require.NoError(t, err)
		require.Equal(t, []keyslot.Optional[string]{{Value: "value of key:1", OK: true}, {}, {Value: "value of key:2", OK: true}}, values)
	}
}
