package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// FakeArg and ProxyArg, as the only argument, make the program a helper: its main must then return what Help returns.
const (
	FakeArg  = "serve-fake-nodes"
	ProxyArg = "serve-slow-proxy"
)

// startHelper runs this program with arg, hands it what it asks for, and reads what it says when it is ready, both as
// JSON. The helper ends when stop is called, and also when this process dies, since its standard input ends then.
func startHelper(ctx context.Context, arg string, ask, answer any) (stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, arg)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait() // its exit status tells nothing that its standard error did not
	}
	if err := json.NewEncoder(in).Encode(ask); err != nil {
		stop()
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(answer); err != nil {
		stop()
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	return stop, nil
}

// Help runs the helper that arg names until in ends.
func Help(arg string, in io.Reader, out io.Writer) error {
	ask := json.NewDecoder(in)
	var (
		ready []string
		err   error
	)
	switch arg {
	case FakeArg:
		var n int
		if err = ask.Decode(&n); err == nil {
			ready, err = serveFake(n)
		}
	case ProxyArg:
		var nodes []string
		if err = ask.Decode(&nodes); err == nil {
			ready, err = serveProxies(nodes)
		}
	}
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(ready); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
