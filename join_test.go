package keyslot_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/spec"
)

func TestRepliesOfSeveralNodesAreJoinedByPolicy(t *testing.T) {
	const ints, flags = "*3\r\n:1\r\n:0\r\n:1\r\n", "*3\r\n:1\r\n:1\r\n:0\r\n"
	for _, test := range []struct {
		policy  spec.ResponsePolicy
		replies []string
		want    string // empty: they do not fit together
	}{
		{spec.ResponseSum, []string{":3\r\n", ":-5\r\n", ":4\r\n"}, ":2\r\n"},
		{spec.ResponseMin, []string{":3\r\n", ":-5\r\n", ":4\r\n"}, ":-5\r\n"},
		{spec.ResponseMax, []string{":3\r\n", ":-5\r\n", ":4\r\n"}, ":4\r\n"},
		{spec.ResponseAnd, []string{":1\r\n", ":0\r\n"}, ":0\r\n"},
		{spec.ResponseOr, []string{":1\r\n", ":0\r\n"}, ":1\r\n"},
		{spec.ResponseAnd, []string{ints, flags}, "*3\r\n:1\r\n:0\r\n:0\r\n"},
		{spec.ResponseOr, []string{ints, flags}, "*3\r\n:1\r\n:1\r\n:1\r\n"},
		{spec.ResponseMin, []string{"*2\r\n:1\r\n:2\r\n", "*2\r\n:2\r\n:1\r\n"}, "*2\r\n:1\r\n:1\r\n"},
		{spec.ResponseSum, []string{"*0\r\n", "*0\r\n"}, "*0\r\n"},
		{spec.ResponseDefault, []string{"*1\r\n+a\r\n", "*0\r\n", "*2\r\n:1\r\n_\r\n"}, "*3\r\n+a\r\n:1\r\n_\r\n"},
		{spec.ResponseDefault, []string{"~1\r\n+a\r\n", "*1\r\n+a\r\n"}, "*2\r\n+a\r\n+a\r\n"},
		{spec.ResponseAllSucceeded, []string{"+OK\r\n", "+QUEUED\r\n"}, "+OK\r\n"},
		{spec.ResponseOneSucceeded, []string{"+OK\r\n", "+QUEUED\r\n"}, "+OK\r\n"},

		{spec.ResponseSum, []string{":1\r\n", "+OK\r\n"}, ""},
		{spec.ResponseSum, []string{"_\r\n"}, ""},
		{spec.ResponseSum, []string{":1\r\n", "*1\r\n:1\r\n"}, ""},
		{spec.ResponseAnd, []string{ints, "*2\r\n:1\r\n:1\r\n"}, ""},
		{spec.ResponseAnd, []string{ints, "*3\r\n:1\r\n:1\r\n+x\r\n"}, ""},
		{spec.ResponseOr, []string{"*1\r\n*1\r\n:1\r\n", "*1\r\n:1\r\n"}, ""},
		{spec.ResponseDefault, []string{"*1\r\n+a\r\n", "$1\r\na\r\n"}, ""},
		{spec.ResponseDefault, []string{"*1\r\n+a\r\n", "%1\r\n+a\r\n+b\r\n"}, ""},
	} {
		got, err := keyslot.Joined(test.policy, test.replies...)
		require.Equal(t, test.want == "", err != nil, "%d of %q: %v", test.policy, test.replies, err)
		require.Equal(t, test.want, got, "%d of %q", test.policy, test.replies)
	}
}

// An array that grows with each string is copied again and again.
func TestArraysAreJoinedInMemoryOfTheirSize(t *testing.T) {
	array := "*10\r\n" + strings.Repeat("$10000\r\n"+strings.Repeat("x", 10000)+"\r\n", 10)
	allocs := func(policy spec.ResponsePolicy) float64 {
		return testing.AllocsPerRun(10, func() {
			if _, err := keyslot.Joined(policy, array, array, array); err != nil {
				t.Error(err)
			}
		})
	}
	one := allocs(spec.ResponseAllSucceeded) // takes the first as it is
	require.Equal(t, one, allocs(spec.ResponseDefault))
}
