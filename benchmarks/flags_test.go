package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHowLongARunMeasures(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 800 * time.Millisecond, "0.001": time.Millisecond, "2.5": 2500 * time.Millisecond, "3600": time.Hour,
	} {
		opts, err := parseFlags([]string{"-quick", "-seconds", text})
		require.NoError(t, err, text)
		require.Equal(t, want, opts.measure)
	}
	for _, text := range []string{"-1", "1e-9", "3601", "1e10", "1e300", "NaN", "Inf", "-Inf"} {
		_, err := parseFlags([]string{"-quick", "-seconds", text})
		require.ErrorContains(t, err, "-seconds", text)
	}
	_, err := parseFlags([]string{"-quick", "-rounds", "-1"})
	require.ErrorContains(t, err, "-rounds")
}
