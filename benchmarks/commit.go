package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// commit returns what this program was built from, as report.Build has it. The go command notes it in what `go build`
// makes, but for a worktree of git's, and not for `go run`: then it is what is checked out where the sources are.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if noted := commitIn(info.Settings); noted != "" {
			return noted
		}
	}
	_, source, _, _ := runtime.Caller(0) // built with -trimpath, it names no directory
	return checkedOut(filepath.Dir(source))
}

// commitIn returns what the go command noted.
func commitIn(settings []debug.BuildSetting) string {
	noted := map[string]string{}
	for _, s := range settings {
		noted[s.Key] = s.Value
	}
	return spell(noted["vcs.revision"], noted["vcs.modified"] == "true")
}

// checkedOut returns the commit that git has checked out in dir, or nothing where it has none.
func checkedOut(dir string) string {
	revision, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	changes, err := exec.Command("git", "-C", dir, "status", "--porcelain").Output()
	return spell(strings.TrimSpace(string(revision)), err != nil || len(bytes.TrimSpace(changes)) > 0)
}

func spell(revision string, modified bool) string {
	const short = 12 // digits, as many as git takes for large repositories
	revision = revision[:min(short, len(revision))]
	if revision != "" && modified {
		return revision + " (modified)"
	}
	return revision
}
