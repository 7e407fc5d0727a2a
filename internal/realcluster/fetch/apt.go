package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// apt is a private copy of the package manager's state: package lists, caches and sources of our own, below dir.
type apt struct {
	dir     string
	options []string
}

// fetch downloads and unpacks the server called name with its tools and libraries below dir, and returns the directory
// that then holds usr/bin and usr/lib.
func fetch(ctx context.Context, dir, name string) (string, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("packages cannot be fetched here: %w", err)
		}
	}
	a, err := newAPT(dir)
	if err != nil {
		return "", err
	}
	out, err := a.run(ctx, "apt-get", "update")
	if err != nil {
		return "", err
	}
	// An update that reached no source is only a warning to apt.
	if !a.has(ctx, "libc6") {
		return "", fmt.Errorf("the package lists cannot be downloaded: %s", failure(out))
	}
	server := name + "-server"
	if !a.has(ctx, server) {
		if err := a.addBackports(ctx); err != nil {
			return "", fmt.Errorf("no package %s: %w", server, err)
		}
	}
	packages, err := a.closure(ctx, server, name+"-tools")
	if err != nil {
		return "", err
	}
	if _, err := a.run(ctx, "apt-get", append([]string{"download"}, packages...)...); err != nil {
		return "", err
	}
	return a.unpack(ctx)
}

// newAPT makes the directories that apt asks for. The empty status file makes the answers the same on every machine,
// whatever is installed there.
func newAPT(dir string) (*apt, error) {
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	status := filepath.Join(dir, "status")
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return nil, err
	}
	return &apt{dir: dir, options: []string{
		"-q",
		"-o", "Dir::State=" + dir,
		"-o", "Dir::State::lists=" + filepath.Join(dir, "lists"),
		"-o", "Dir::State::status=" + status,
		"-o", "Dir::Cache=" + dir,
		"-o", "Dir::Cache::archives=" + filepath.Join(dir, "archives"),
		"-o", "APT::Sandbox::User=root", // root's downloads go to a directory that apt's own user cannot enter
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"-o", "Acquire::Retries=1",
		"-o", "Acquire::http::Timeout=15",
		"-o", "Acquire::https::Timeout=15",
	}}, nil
}

// run runs one program of apt with the private state, in the private directory.
func (a *apt) run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, append(append([]string{}, a.options...), args...)...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second // its download helpers hold the output open a little longer
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s %s: %w", program, args[0], ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, args[0], err, failure(string(out)))
	}
	return string(out), nil
}

// has reports whether some package source offers the package called name.
func (a *apt) has(ctx context.Context, name string) bool {
	out, err := a.run(ctx, "apt-cache", "madison", name)
	return err == nil && strings.Contains(out, name)
}

// debianKeys are the keys that Debian signs its releases with, where its own package puts them.
const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

// addBackports adds the backports suite of a Debian release to the sources, from the mirror that the machine uses for
// the release itself.
func (a *apt) addBackports(ctx context.Context) error {
	release, err := osRelease("/etc/os-release")
	if err != nil {
		return err
	}
	codename := release["VERSION_CODENAME"]
	if release["ID"] != "debian" || codename == "" {
		return fmt.Errorf("%q has no backports suite to look in", release["PRETTY_NAME"])
	}
	targets, err := a.run(ctx, "apt-get", "indextargets",
		"--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return err
	}
	keys := ""
	if _, err := os.Stat(debianKeys); err == nil {
		keys = "[signed-by=" + debianKeys + "]"
	}
	sources, err := backportsSources(targets, codename, keys)
	if err != nil {
		return err
	}
	path := filepath.Join(a.dir, "sources.list")
	if err := os.WriteFile(path, []byte(sources), 0o644); err != nil {
		return err
	}
	a.options = append(a.options, "-o", "Dir::Etc::SourceList="+path, "-o", "Dir::Etc::SourceParts=/dev/null")
	_, err = a.run(ctx, "apt-get", "update")
	return err
}

// backportsSources turns lines "release component uri" of the machine's sources into a sources list of the release
// called codename and its backports.
func backportsSources(targets, codename, keys string) (string, error) {
	for line := range strings.Lines(targets) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == codename && fields[1] == "main" {
			return fmt.Sprintf("deb %[1]s %[2]s %[3]s main\ndeb %[1]s %[2]s %[3]s-backports main\n", keys, fields[2], codename), nil
		}
	}
	return "", fmt.Errorf("the machine's package sources do not name the suite %s", codename)
}

// closure returns packages and the libraries that they need, and those need. The C library is left out: it must be the
// one that the machine's own loader belongs to.
func (a *apt) closure(ctx context.Context, packages ...string) ([]string, error) {
	known := map[string]bool{"libc6": true}
	all := packages
	for len(packages) > 0 {
		out, err := a.run(ctx, "apt-cache", append([]string{"depends", "--important"}, packages...)...)
		if err != nil {
			return nil, err
		}
		packages = nil
		for _, name := range libraries(out) {
			if !known[name] {
				known[name] = true
				packages = append(packages, name)
			}
		}
		all = append(all, packages...)
	}
	return all, nil
}

// libraries returns the first choices of the library packages in the output of `apt-cache depends`:
//
//	redis-tools
//	  Depends: libssl3
//	 |Depends: libsystemd0
//	  Depends: libelogind0
//	    other-provider
func libraries(depends string) []string {
	var names []string
	alternative := false
	for line := range strings.Lines(depends) {
		kind, name, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found {
			continue
		}
		if !alternative && strings.HasSuffix(kind, "Depends") && strings.HasPrefix(name, "lib") {
			names = append(names, name)
		}
		alternative = strings.HasPrefix(kind, "|")
	}
	return names
}

// unpack unpacks the downloaded packages and returns the directory.
func (a *apt) unpack(ctx context.Context) (string, error) {
	root := filepath.Join(a.dir, "root")
	packages, err := filepath.Glob(filepath.Join(a.dir, "*.deb"))
	if err != nil {
		return "", err
	}
	for _, p := range packages {
		cmd := exec.CommandContext(ctx, "dpkg-deb", "-x", p, root)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("dpkg-deb -x %s: %w: %s", filepath.Base(p), err, failure(string(out)))
		}
	}
	return root, nil
}

// osRelease reads the KEY=value lines of an os-release file.
func osRelease(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fields := map[string]string{}
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		if key, value, found := strings.Cut(scanner.Text(), "="); found {
			fields[key] = strings.Trim(value, `"`)
		}
	}
	return fields, scanner.Err()
}

// failure returns the line of apt's output that says why something failed, and its last line if none does.
func failure(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "E: ") || strings.HasPrefix(line, "W: ") {
			return line
		}
	}
	return lines[len(lines)-1]
}
