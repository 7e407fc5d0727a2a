package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot/benchmarks/internal/journal"
	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
)

// describe returns what the figures depend on; builds are the programs that measured them, which this one need not be.
func describe(opts options, builds []report.Build) report.Settings {
	return report.Settings{
		Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), GC: load.GC(),
		WarmUp: opts.warmUp, Measure: opts.measure, Builds: builds,
	}
}

// peers returns the modules that hold the clients we are compared with, as "path version".
func peers() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var found []string
	for _, m := range info.Deps {
		if slices.ContainsFunc([]string{"rueidis", "go-redis", "radix", "valkey-glide"}, func(name string) bool {
			return strings.Contains(m.Path, name)
		}) {
			found = append(found, m.Path+" "+m.Version)
		}
	}
	return found
}

// newSession returns what this program measures with, and which program it is: builds of the same code are the same.
func newSession(opts options) (journal.Session, error) {
	self, err := os.Executable()
	if err != nil {
		return journal.Session{}, err
	}
	program, err := os.Open(self)
	if err != nil {
		return journal.Session{}, err
	}
	defer program.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, program); err != nil {
		return journal.Session{}, err
	}
	return journal.Session{
		CPUs: runtime.NumCPU(), Addr: opts.addr, GC: load.GC(), WarmUp: opts.warmUp, Measure: opts.measure,
		Build: report.Build{
			Digest: hex.EncodeToString(digest.Sum(nil))[:12], Commit: commit(),
			Go: runtime.Version(), Peers: report.JoinPeers(peers()),
		},
	}, nil
}
