package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table that was edited by hand, or not made anew after a change of its sources, is found here.
func TestTableIsUpToDate(t *testing.T) {
	want, err := generate("..")
	require.NoError(t, err)
	got, err := os.ReadFile("../" + output)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run: go generate ./internal/spec")
}

func TestOverlayMistakesAreErrors(t *testing.T) {
	for _, test := range []struct{ overlay, want string }{
		{`{"commands": [{"names": ["GET"]}]}`, "GET is in a dump already"},
		{`{"changes": [{"names": ["GTE"], "slot": 1}]}`, "no command is called GTE"},
		{`{"changes": [{"names": ["GET"], "slott": 1}]}`, "slott"},
		{`{"changes": [{"names": ["GET"], "add": ["wriet"]}]}`, `GET: unknown word "wriet"`},
		{`{}`, "the server cannot say where its keys are"},
	} {
		dir := t.TempDir()
		for _, dump := range dumps {
			text, err := os.ReadFile("../" + dump)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(dir+"/"+dump, text, 0o644))
		}
		overlay := test.overlay
		if overlay != `{}` {
			overlay = withOddKeys(overlay)
		}
		require.NoError(t, os.WriteFile(dir+"/"+overlayFile, []byte(overlay), 0o644))
		_, err := generate(dir)
		require.ErrorContains(t, err, test.want)
	}
}

// withOddKeys adds what any overlay must say: the keys of the commands that the servers cannot describe.
func withOddKeys(overlay string) string {
	const odd = `{"names": ["XREAD", "XREADGROUP", "SORT", "SORT_RO", "GEORADIUS", "GEORADIUSBYMEMBER", "MIGRATE"], "keys": [{"index": 1}]}`
	const open = `"changes": [`
	if i := len(`{` + open); len(overlay) > i && overlay[1:i] == open {
		return overlay[:i] + odd + ", " + overlay[i:]
	}
	return overlay
}
