package ledger_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

func TestRecordsComeBackAsTheyWereWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "round")
	w, err := ledger.Create(path)
	require.NoError(t, err)
	written := sound().Records
	for _, op := range written {
		require.NoError(t, w.Write(op))
	}
	require.NoError(t, w.Close())
	read, err := ledger.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, written, read)

	// A worker that died has left half a line.
	require.NoError(t, os.Truncate(path, 1000))
	_, err = ledger.ReadFile(path)
	require.ErrorContains(t, err, "record")
}
