package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheCommitIsTheOneThatTheGoCommandNoted(t *testing.T) {
	noted := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "false"}}
	require.Equal(t, "0123456789ab", commitIn(noted))
	noted[1].Value = "true"
	require.Equal(t, "0123456789ab (modified)", commitIn(noted))
	require.Empty(t, commitIn(nil), "go run notes nothing")
}

func TestWithoutThatItIsTheOneThatIsCheckedOut(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("skipped: there is no git")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		out, err := exec.Command("git",
			append([]string{"-C", dir, "-c", "user.name=n", "-c", "user.email=e"}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	require.Empty(t, checkedOut(dir))
	git("init", "-q")
	require.Empty(t, checkedOut(dir), "nothing is committed")
	git("commit", "-q", "--allow-empty", "-m", "first")
	clean := checkedOut(dir)
	require.Len(t, clean, 12)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new.go"), nil, 0o600))
	require.Equal(t, clean+" (modified)", checkedOut(dir))
	require.Empty(t, checkedOut(filepath.Join(dir, "nowhere")))
}
