// Command fetch gets the servers that the tests run against, for `make test`: where a server is not in PATH, it
// downloads the system's own packages and their libraries by name and unpacks them below .cache/servers, without root
// and without installing anything. Where that cannot be done it says why, and the tests of that server are skipped; its
// exit status is 0 all the same.
//
// It is a Go program, not a script, for what a script does badly: one time limit over everything, a rename that makes a
// finished directory appear at once, and the same check of a server that the tests make.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func main() {
	// A good connection needs 10 s for both engines; one that swallows packets must not hold the tests up for long.
	timeout := flag.Duration("timeout", 2*time.Minute, "time for everything")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	root, err := realcluster.RepositoryRoot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
	servers := filepath.Join(root, ".cache", "servers")
	for _, name := range realcluster.Names() {
		e, err := ensure(ctx, servers, name)
		if err != nil {
			fmt.Printf("%s: tests on it will be skipped: %v\n", name, err)
			continue
		}
		fmt.Printf("%s: %s %s\n", name, e.Server, e.Version)
	}
}

// ensure returns the engine called name, which it fetches unless it is there.
func ensure(ctx context.Context, servers, name string) (realcluster.Engine, error) {
	if e, err := realcluster.Find(name); err == nil {
		return e, nil
	}
	if err := os.MkdirAll(servers, 0o755); err != nil {
		return realcluster.Engine{}, err
	}
	work, err := os.MkdirTemp(servers, name+"-part-")
	if err != nil {
		return realcluster.Engine{}, err
	}
	defer os.RemoveAll(work)
	root, err := fetch(ctx, work, name)
	if err != nil {
		return realcluster.Engine{}, err
	}
	if _, err := realcluster.Load(name, root); err != nil {
		return realcluster.Engine{}, err
	}
	return install(name, root, filepath.Join(servers, name))
}

// install moves the tested tree into place. Of two runs that race, one moves first and the other finds a good tree
// there; a tree that does not work any more, as after an update of the system, is put aside first.
func install(name, root, place string) (realcluster.Engine, error) {
	if e, err := realcluster.Load(name, place); err == nil {
		return e, nil
	}
	_ = os.Rename(place, filepath.Join(filepath.Dir(root), "broken")) // there need not be one
	if err := os.Rename(root, place); err != nil {
		if e, errLoad := realcluster.Load(name, place); errLoad == nil {
			return e, nil
		}
		return realcluster.Engine{}, err
	}
	return realcluster.Load(name, place)
}
