package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// caughtWithin is how long a run may take to find a mutant's fault, the start of its cluster included.
const caughtWithin = 60 * time.Second

// selftest builds this program with each mutant of keyslot, runs it, and reports whether the run has found the fault.
func selftest(ctx context.Context, f flags, out io.Writer) int {
	root, err := realcluster.RepositoryRoot()
	if err != nil {
		fmt.Fprintln(out, "selftest:", err)
		return exitHarness
	}
	dir, err := os.MkdirTemp("", "keyslot-chaos-selftest-")
	if err != nil {
		fmt.Fprintln(out, "selftest:", err)
		return exitHarness
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(out, "seed %d\n", f.seed)
	status := exitOK
	for _, m := range mutants() {
		program, err := m.build(ctx, root, dir)
		if err != nil {
			fmt.Fprintf(out, "a client that %s: cannot be built: %v\n", m.name, err)
			status = exitHarness
			continue
		}
		caught, err := m.run(ctx, program, f)
		if err != nil {
			fmt.Fprintf(out, "a client that %s: NOT CAUGHT: %v\n", m.name, err)
			status = max(status, exitBroken)
			continue
		}
		fmt.Fprintf(out, "a client that %s: caught in %v: %s\n", m.name, caught.took.Round(100*time.Millisecond), caught.first)
	}
	return status
}

// build returns the path of this program with the mutant in it.
func (m mutant) build(ctx context.Context, root, dir string) (string, error) {
	file := filepath.Join(root, filepath.FromSlash(m.file))
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if n := bytes.Count(source, []byte(m.old)); n != 1 {
		return "", fmt.Errorf("%s has what the mutant replaces %d times, not once: mutants.go must follow", m.file, n)
	}
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, bytes.Replace(source, []byte(m.old), []byte(m.new), 1), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		return "", err
	}
	overlaid, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant")
	if err := os.WriteFile(overlaid, overlay, 0o600); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlaid, "-o", program, "./internal/chaos")
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, said)
	}
	return program, nil
}

// catch is how a mutant was found.
type catch struct {
	took  time.Duration
	first broken
}

func (b broken) String() string {
	return fmt.Sprintf("round %d, %s, %s: %s", b.Round, b.Nemesis, b.Check, b.Text)
}

// run lets the mutant be found. An error says why it was not.
func (m mutant) run(ctx context.Context, program string, f flags) (catch, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, caughtWithin)
	defer cancel()
	engine := f.engine
	if engine == "" {
		engine = realcluster.Names()[0]
	}
	cmd := exec.CommandContext(ctx, program, "-json", "-strict", "-seed", strconv.FormatUint(f.seed, 10), "-engine", engine,
		"-seconds", strconv.Itoa(int(caughtWithin/time.Second)), "-only", m.only)
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	line, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitBroken {
		return catch{}, fmt.Errorf("after %v the run has not ended with exit status %d: %w\n%s",
			time.Since(began).Round(time.Second), exitBroken, errors.Join(err, ctx.Err()), said.String())
	}
	var r report
	if err := json.Unmarshal(line, &r); err != nil {
		return catch{}, err
	}
	return catch{time.Since(began), r.Violations[0]}, nil
}
