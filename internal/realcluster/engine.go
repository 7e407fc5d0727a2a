package realcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Names are the engines that tests run against, in the order that ForEach uses.
func Names() []string { return []string{"redis", "valkey"} }

// oldestMajor is the first release line with CLUSTER ADDSLOTSRANGE, cluster-port and announced hostnames.
const oldestMajor = 7

// Engine is one installed server program with its command line client.
type Engine struct {
	Name    string // "redis" or "valkey"
	Version string // as the server prints it, for example "7.0.15"
	Server  string // path of redis-server or valkey-server
	CLI     string // path of redis-cli or valkey-cli

	libraries []string // directories of the libraries unpacked with the server; none for an installed one
}

// Find looks for the engine called name in PATH, then among the servers unpacked under the repository's .cache. Its
// error is the reason to print when a test is skipped.
func Find(name string) (Engine, error) {
	installed, errInstalled := inPath(name)
	if errInstalled == nil {
		return installed, nil
	}
	unpacked, errUnpacked := inCache(name)
	if errUnpacked == nil {
		return unpacked, nil
	}
	return Engine{}, fmt.Errorf("no usable %s-server: %w; %w", name, errInstalled, errUnpacked)
}

// Require returns the engine called name, or skips the test with the reason why there is none: go test -short leaves
// out what needs a server.
func Require(tb testing.TB, name string) Engine {
	tb.Helper()
	if testing.Short() {
		tb.Skip("skipped: needs a server, and this is -short")
	}
	e, err := Find(name)
	if err != nil {
		tb.Skipf("skipped: %v (`make test` fetches servers where it can)", err)
	}
	return e
}

// ForEach runs test as one subtest for every known engine; an engine missing here is a skipped subtest, so that the
// test's output says what was not covered.
func ForEach(t *testing.T, test func(t *testing.T, e Engine)) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) { test(t, Require(t, name)) })
	}
}

// Command returns program (e.Server or e.CLI) with args, ready to start with the libraries that it needs. It is killed
// when ctx ends.
func (e Engine) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = os.Environ()
	if len(e.libraries) > 0 {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+strings.Join(e.libraries, ":"))
	}
	return cmd
}

// Load returns the engine unpacked below root, as `.cache/servers/<name>` is: usr/bin and usr/lib of the system's
// packages. It runs the server once to see that it starts here.
func Load(name, root string) (Engine, error) {
	bin := filepath.Join(root, "usr", "bin")
	e := Engine{Name: name, Server: filepath.Join(bin, name+"-server"), CLI: filepath.Join(bin, name+"-cli")}
	for _, program := range []string{e.Server, e.CLI} {
		if _, err := os.Stat(program); err != nil {
			return Engine{}, err
		}
	}
	// Debian and Ubuntu put libraries in lib/x86_64-linux-gnu and the like, older packages without the usr before it.
	for _, lib := range []string{"usr/lib", "lib"} {
		dirs, err := filepath.Glob(filepath.Join(root, lib, "*-linux-gnu*"))
		if err != nil {
			return Engine{}, err
		}
		e.libraries = append(e.libraries, dirs...)
	}
	return e.started()
}

func inPath(name string) (Engine, error) {
	server, err := exec.LookPath(name + "-server")
	if err != nil {
		return Engine{}, err
	}
	cli, err := exec.LookPath(name + "-cli")
	if err != nil {
		return Engine{}, err
	}
	return Engine{Name: name, Server: server, CLI: cli}.started()
}

func inCache(name string) (Engine, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return Engine{}, err
	}
	return Load(name, filepath.Join(root, ".cache", "servers", name))
}

var versionPattern = regexp.MustCompile(`v=((\d+)\.[0-9.]+)`)

// started asks the server for its version, which also proves that its libraries are found.
func (e Engine) started() (Engine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := e.Command(ctx, e.Server, "--version").CombinedOutput()
	if err != nil {
		return Engine{}, fmt.Errorf("%s --version: %w: %s", e.Server, err, out)
	}
	m := versionPattern.FindStringSubmatch(string(out))
	if m == nil {
		return Engine{}, fmt.Errorf("%s --version says %q, which names no version", e.Server, out)
	}
	e.Version = m[1]
	if major, _ := strconv.Atoi(m[2]); major < oldestMajor {
		return Engine{}, fmt.Errorf("%s is version %s, tests need %d.0 or newer", e.Server, e.Version, oldestMajor)
	}
	return e, nil
}

// RepositoryRoot returns the directory of go.work, found from the working directory upwards: `go test` runs a package's
// tests in the package's directory, in nested modules too.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.work here or in a directory above")
		}
		dir = parent
	}
}
