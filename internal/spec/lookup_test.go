package spec_test

import (
	"testing"

	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/stretchr/testify/require"
)

// words are the arguments of a call as a test writes them.
type words []string

func (w words) Len() int        { return len(w) }
func (w words) At(i int) []byte { return []byte(w[i]) }

func TestLookup(t *testing.T) {
	for _, test := range []struct {
		call words
		want string // "" for none
	}{
		{words{"GET", "k"}, "GET"},
		{words{"get", "k"}, "GET"},
		{words{"Config", "gEt", "maxmemory"}, "CONFIG GET"},
		{words{"xgroup", "create", "s", "g", "$"}, "XGROUP CREATE"},
		{words{"CONFIG"}, "CONFIG"},
		{words{"CONFIG", "NOSUCH"}, "CONFIG"},
		{words{"CONFIG", ""}, "CONFIG"},
		{words{"COMMAND"}, "COMMAND"},
		{words{"CONFIG GET"}, ""},
		{words{"GET GET"}, ""},
		{words{"NOSUCH"}, ""},
		{words{""}, ""},
		{words{}, ""},
	} {
		c, ok := spec.Lookup(test.call)
		require.Equal(t, test.want != "", ok, "%q", test.call)
		if ok {
			require.Equal(t, test.want, c.Name, "%q", test.call)
		}
	}
}
