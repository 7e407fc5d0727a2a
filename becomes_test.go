package keyslot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// becomes waits until a condition holds. It is looked at on the test's own goroutine, so it may use require: within
// require.Eventually that would end a goroutine of testify's, and the test would wait for nothing and not say why.
func becomes(t *testing.T, patience time.Duration, condition func() bool, what ...any) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); <-time.After(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), what...)
	}
}
