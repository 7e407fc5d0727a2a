package late

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// The addresses exist within the namespaces only, so several Probes do not meet.
const (
	serverHost = "10.213.0.1"
	clientHost = "10.213.0.2"
	port       = "6379"
	link       = "link0" // in each of the two namespaces
)

// network is two namespaces with a link between them.
type network struct {
	serverSpace, clientSpace string
}

// newNetwork makes the namespaces and the link. Where that is not possible it returns the reason; remove must be called
// all the same.
func newNetwork(ctx context.Context) (network, error) {
	if runtime.GOOS != "linux" {
		return network{}, errors.New("network namespaces need Linux")
	}
	name := fmt.Sprintf("keyslot-late-%d-%s", os.Getpid(), strings.ToLower(rand.Text()[:6]))
	n := network{serverSpace: name + "-server", clientSpace: name + "-client"}
	for _, args := range [][]string{
		{"netns", "add", n.serverSpace},
		{"netns", "add", n.clientSpace},
		{"-n", n.serverSpace, "link", "add", link, "type", "veth", "peer", "name", link, "netns", n.clientSpace},
		{"-n", n.serverSpace, "addr", "add", serverHost + "/30", "dev", link},
		{"-n", n.clientSpace, "addr", "add", clientHost + "/30", "dev", link},
		{"-n", n.serverSpace, "link", "set", "lo", "up"},
		{"-n", n.clientSpace, "link", "set", "lo", "up"},
		{"-n", n.serverSpace, "link", "set", link, "up"},
		{"-n", n.clientSpace, "link", "set", link, "up"},
		{"netns", "exec", n.serverSpace, "true"}, // mounts, which may be forbidden where the rest is not
	} {
		if err := ip(ctx, args...); err != nil {
			return n, fmt.Errorf("network namespaces are not to be had: %w", err)
		}
	}
	return n, nil
}

// cut makes the link lose everything: each side sends to a hardware address that nobody has. As with packets that are lost
// on their way the kernels learn nothing, and send again after pauses that double. Of a link that is down they would know.
func (n network) cut(ctx context.Context) error {
	const nobody = "02:00:00:00:00:99"
	return errors.Join(
		ip(ctx, "-n", n.clientSpace, "neigh", "replace", serverHost, "lladdr", nobody, "nud", "permanent", "dev", link),
		ip(ctx, "-n", n.serverSpace, "neigh", "replace", clientHost, "lladdr", nobody, "nud", "permanent", "dev", link))
}

// heal lets each side find out again where the other one is.
func (n network) heal(ctx context.Context) error {
	return errors.Join(
		ip(ctx, "-n", n.clientSpace, "neigh", "del", serverHost, "dev", link),
		ip(ctx, "-n", n.serverSpace, "neigh", "del", clientHost, "dev", link))
}

// remove removes the namespaces, and the link with them, also when ctx has ended.
func (n network) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var errs error
	for _, space := range []string{n.serverSpace, n.clientSpace} {
		if _, err := os.Stat("/run/netns/" + space); space != "" && err == nil {
			errs = errors.Join(errs, ip(ctx, "netns", "del", space))
		}
	}
	return errs
}

// within returns cmd to be run in a namespace.
func (n network) within(space string, cmd *exec.Cmd) *exec.Cmd {
	path, err := exec.LookPath("ip")
	if err != nil {
		return cmd // newNetwork has found it
	}
	cmd.Args = append([]string{path, "netns", "exec", space, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = path
	return cmd
}

func ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
