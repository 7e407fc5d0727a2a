package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheResultIsTheLastLineOfAChild(t *testing.T) {
	for _, before := range []string{"", "2026-11-22 WARN logger_core: a timeout\n", "{}\n\n"} {
		result, err := lastResult([]byte(before + `{"ops_per_second":7}` + "\n"))
		require.NoError(t, err)
		require.InDelta(t, 7, result.OpsPerSecond, 0)
	}
	for _, printed := range []string{"", "\n", "panic", "{}\nWARN " + strings.Repeat("x", 10_000)} {
		_, err := lastResult([]byte(printed))
		require.Error(t, err)
		require.Less(t, len(err.Error()), 400)
	}
}
