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
	"slices"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// caughtWithin is how long a run may take to find a mutant's fault, the start of its cluster included.
const caughtWithin = 60 * time.Second

// selftest builds this program with each mutant of keyslot, runs it, and reports whether the run has found the fault.
// Without the mutant the same rounds must find nothing: else what was found may have been something else.
func selftest(ctx context.Context, f flags, out io.Writer) int {
	root, err := realcluster.RepositoryRoot()
	if err != nil {
		fmt.Fprintln(out, "selftest:", err)
		return exitHarness
	}
	sound, err := os.Executable()
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
	for _, m := range mutants {
		program, err := m.build(ctx, root, dir)
		if err != nil {
			fmt.Fprintf(out, "a client that %s: cannot be built: %v\n", m.name, err)
			status = exitHarness
			continue
		}
		caught, err := m.catch(ctx, program, sound, f)
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
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-overlay", overlaid, "-o", program, "./internal/chaos")
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

// catch lets the mutant be found, and sees that the same rounds are clean with a sound client. An error says why not.
func (m mutant) catch(ctx context.Context, program, sound string, f flags) (catch, error) {
	began := time.Now()
	found, err := m.run(ctx, program, f, 0)
	if err != nil {
		return catch{}, err
	}
	caught := catch{took: time.Since(began)}
	if caught.first, err = m.match(found); err != nil {
		return catch{}, err
	}
	clean, err := m.run(ctx, sound, f, found.Rounds)
	if err != nil {
		return catch{}, fmt.Errorf("without it: %w", err)
	}
	if others := clean.others(); len(others) > 0 {
		return catch{}, fmt.Errorf("without it the same rounds find something too: %s", others[0])
	}
	return caught, nil
}

// others returns the violations that a busy machine does not explain: a goroutine may wait 5 ms for a processor there.
// A full run has the machine to itself, and enough samples.
func (r report) others() []broken {
	return slices.DeleteFunc(slices.Clone(r.Violations), func(v broken) bool { return v.Check == "context" })
}

// match returns the first violation that the mutant's fault explains.
func (m mutant) match(found report) (broken, error) {
	for _, v := range found.Violations {
		if slices.Contains(m.breaks, v.Check) {
			return v, nil
		}
	}
	if len(found.Violations) == 0 {
		return broken{}, fmt.Errorf("%d rounds have found nothing", found.Rounds)
	}
	return broken{}, fmt.Errorf("what was found is not of %v: %s", m.breaks, found.Violations[0])
}

// run runs a program until a round breaks something, or for so many rounds.
func (m mutant) run(ctx context.Context, program string, f flags, rounds int) (r report, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*caughtWithin) // no round begins behind the first half
	defer cancel()
	engine := f.engine
	if engine == "" {
		engine = realcluster.Names()[0]
	}
	cmd := exec.CommandContext(ctx, program, "-json", "-strict", "-seed", strconv.FormatUint(f.seed, 10), "-engine", engine,
		"-seconds", strconv.Itoa(int(caughtWithin/time.Second)), "-rounds", strconv.Itoa(rounds), "-only", m.only)
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	line, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitBroken) {
		return r, fmt.Errorf("the run has failed: %w\n%s", errors.Join(err, ctx.Err()), said.String())
	}
	return r, json.Unmarshal(line, &r)
}
