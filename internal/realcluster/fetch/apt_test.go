package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLibrariesTakesTheFirstAlternative(t *testing.T) {
	names := libraries("redis-tools\n" +
		"  Depends: adduser\n" +
		"  PreDepends: libssl3\n" +
		" |Depends: libsystemd0\n" +
		"  Depends: libelogind0\n" +
		"    libelogind-compat\n" +
		"  Depends: liblzf1\n")
	require.Equal(t, []string{"libssl3", "libsystemd0", "liblzf1"}, names)
}

func TestBackportsComeFromTheMirrorOfTheRelease(t *testing.T) {
	targets := "nodistro main https://other.test/\n" +
		"bookworm contrib https://mirror.test/debian/\n" +
		"bookworm main https://mirror.test/debian/\n" +
		"bookworm-security main https://mirror.test/security/\n"
	sources, err := backportsSources(targets, "bookworm", "[signed-by=/keys]")
	require.NoError(t, err)
	require.Equal(t, "deb [signed-by=/keys] https://mirror.test/debian/ bookworm main\n"+
		"deb [signed-by=/keys] https://mirror.test/debian/ bookworm-backports main\n", sources)

	_, err = backportsSources(targets, "trixie", "")
	require.ErrorContains(t, err, "trixie")
}

func TestReasonForASkipIsAptsOwn(t *testing.T) {
	require.Equal(t, "E: Unable to locate package", failure("Reading lists...\nE: Unable to locate package\nDone\n"))
	require.Equal(t, "last", failure("first\nlast\n"))
}

// A second run may install the same server while the first one still downloads it.
func TestInstallKeepsATreeThatWorks(t *testing.T) {
	dir := t.TempDir()
	place := filepath.Join(dir, "redis")
	fake(t, place, "7.1.0")
	late := filepath.Join(dir, "part", "root")
	fake(t, late, "7.2.0")

	e, err := install("redis", late, place)
	require.NoError(t, err)
	require.Equal(t, "7.1.0", e.Version)

	require.NoError(t, os.RemoveAll(filepath.Join(place, "usr", "bin")))
	e, err = install("redis", late, place)
	require.NoError(t, err)
	require.Equal(t, "7.2.0", e.Version, "a tree that stopped working is replaced")
}

// fake writes programs that only tell their version.
func fake(t *testing.T, root, version string) {
	bin := filepath.Join(root, "usr", "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	for _, program := range []string{"redis-server", "redis-cli"} {
		script := "#!/bin/sh\necho Redis server v=" + version + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, program), []byte(script), 0o755))
	}
}
