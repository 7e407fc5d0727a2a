package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
)

// childArg makes this program a child: it runs the one load that stands on its standard input, and prints the result.
const childArg = "run-one-load"

// childSlack is how much longer than its load a child may take, to connect and to close.
const childSlack = 20 * time.Second

// runChild runs one load in a process of its own, so that the CPU time counted is that of one client.
func runChild(ctx context.Context, spec load.Spec) (load.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, spec.WarmUp+spec.Measure+childSlack)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return load.Result{}, err
	}
	in, err := json.Marshal(spec)
	if err != nil {
		return load.Result{}, err
	}
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, self, childArg)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problems
	if err := cmd.Run(); err != nil {
		return load.Result{}, fmt.Errorf("%s: %w: %s", spec.Client, err, bytes.TrimSpace(problems.Bytes()))
	}
	result, err := lastResult(out.Bytes())
	if err != nil {
		return load.Result{}, fmt.Errorf("%s: %w", spec.Client, err)
	}
	return result, nil
}

// lastResult reads the last line that a child has printed. A client may print as well: valkey-glide logs to the
// standard output.
func lastResult(printed []byte) (result load.Result, err error) {
	const excerpt = 200
	printed = bytes.TrimSpace(printed)
	last := printed[bytes.LastIndexByte(printed, '\n')+1:]
	if err := json.Unmarshal(last, &result); err != nil {
		return load.Result{}, fmt.Errorf("it printed %q: %w", last[:min(len(last), excerpt)], err)
	}
	return result, nil
}

// isChild reports whether arg makes this program a child of another: one that runs a load, or serves.
func isChild(arg string) bool {
	return arg == childArg || arg == servers.FakeArg || arg == servers.ProxyArg
}

// beChild is the other side of runChild, and of the helpers of package servers.
func beChild(arg string) error {
	if arg != childArg {
		return servers.Help(arg, os.Stdin, os.Stdout)
	}
	var spec load.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		return err
	}
	result, err := load.Run(spec)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
