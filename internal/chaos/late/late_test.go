package late_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/late"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// asClient makes this test's program the client of a Probe.
const asClient = "-late-client"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asClient {
		if err := late.Client(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestNothingRunsOnceItWasGivenUp(t *testing.T) {
	t.Parallel()
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		t.Parallel()
		self, err := os.Executable()
		require.NoError(t, err)
		result := probe(t, e, self)
		require.Zero(t, result.Violations(), "%+v", result)
		require.Positive(t, result.Unknown, "%+v", result)
		require.Positive(t, result.NotExecuted, "%+v", result)
		require.Equal(t, result.Writes, result.Answered+result.NotExecuted+result.Unknown)
		requireNothingLeft(t)
	})
}

// A client that closes its connections like any other program does not stand the test.
func TestAProbeFindsWhatRunsLate(t *testing.T) {
	t.Parallel()
	result := probe(t, realcluster.Require(t, realcluster.Names()[0]), mutant(t))
	require.Positive(t, result.Late, "%+v", result)
	require.Zero(t, result.Unsound+result.Twice, "%+v", result)
}

func probe(t *testing.T, e realcluster.Engine, client string) late.Result {
	t.Helper()
	result, err := late.Probe(t.Context(), e, client, asClient)
	require.NoError(t, err)
	if result.Skipped != "" {
		t.Skip("skipped: " + result.Skipped)
	}
	line, err := json.Marshal(result)
	require.NoError(t, err)
	t.Logf("%s", line)
	return result
}

// mutant builds this test's program on a client that closes without SetLinger(0).
func mutant(t *testing.T) string {
	t.Helper()
	root, err := realcluster.RepositoryRoot()
	require.NoError(t, err)
	original := filepath.Join(root, "internal", "wire", "conn.go")
	source, err := os.ReadFile(original)
	require.NoError(t, err)
	const linger = "_ = tcp.SetLinger(0)"
	require.Equal(t, 1, strings.Count(string(source), linger))

	dir := t.TempDir()
	changed, overlay, program := filepath.Join(dir, "conn.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant")
	require.NoError(t, os.WriteFile(changed, []byte(strings.Replace(string(source), linger, "_ = tcp", 1)), 0o600))
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, replace, 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// requireNothingLeft requires that no namespace of this process is left but those of Probes under way.
func requireNothingLeft(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		left, err := filepath.Glob(fmt.Sprintf("/run/netns/keyslot-late-%d-*", os.Getpid()))
		return err == nil && len(left) == 0
	}, time.Minute, 100*time.Millisecond)
}
