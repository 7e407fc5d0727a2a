package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// title says what the benchmark is about.
func title(o options) string {
	what := "Load"
	if len(o.plan) > 0 {
		var names []string
		for _, p := range o.plan {
			names = append(names, string(p.what))
		}
		what = strings.Join(names, ", ")
		what = strings.ToUpper(what[:1]) + what[1:] + " under load"
	}
	return what + ": " + strings.Join(o.clients, ", ")
}

// commandLine is the program as it was typed, without a password that somebody typed nevertheless.
func commandLine(args []string) string {
	shown := []string{"go run ./examples/bench"}
	for _, a := range args {
		shown = append(shown, withoutPassword(a))
	}
	return strings.Join(shown, " ")
}

// withoutPassword takes the password out of what may be a URL, also of one that package net/url cannot parse, such as
// one with several hosts.
func withoutPassword(arg string) string {
	begin, end := strings.Index(arg, "://"), strings.LastIndexByte(arg, '@')
	if begin < 0 || end < begin {
		return arg
	}
	begin += len("://")
	user, _, has := strings.Cut(arg[begin:end], ":")
	if !has {
		return arg
	}
	return arg[:begin] + user + ":xxxxx" + arg[end:]
}

// settings lists what the figures depend on.
func settings(o options) []record.Setting {
	l := o.load
	keys := fmt.Sprintf("%d, %s", l.Keys, l.Dist)
	if l.Sessions > 0 {
		keys = fmt.Sprintf("%d sessions of 4 keys with one hash tag, %s", l.Sessions, l.Dist)
	}
	pace := fmt.Sprintf("closed loop, %d workers", l.Workers)
	if l.Rate > 0 {
		pace = fmt.Sprintf("open loop, %g operations a second over %d workers, latency from when each was due", l.Rate, l.Workers)
	}
	all := []record.Setting{
		{Name: "load", Value: pace},
		{Name: "reads", Value: fmt.Sprintf("%g %%", 100*l.Reads)},
		{Name: "keys", Value: keys},
		{Name: "values", Value: strings.Trim(fmt.Sprint(l.Values), "[]") + " bytes"},
		{Name: "connections", Value: strings.Join(o.conns, ", ")},
		{Name: "warm-up", Value: l.WarmUp.String()},
		{Name: "duration", Value: l.Duration.String()},
		{Name: "window", Value: l.Window.String()},
		{Name: "repetitions", Value: strconv.Itoa(o.repeat)},
		{Name: "seed", Value: strconv.FormatUint(l.Seed, 10)},
	}
	if l.Pipeline > 1 {
		all = append(all, record.Setting{Name: "pipeline", Value: strconv.Itoa(l.Pipeline) + " commands an operation"})
	}
	if l.Ramp > 0 {
		all = append(all, record.Setting{Name: "ramp", Value: l.Ramp.String()})
	}
	if l.ReplicaReads {
		all = append(all, record.Setting{Name: "replica reads", Value: "yes"})
	}
	if l.Timeout > 0 {
		all = append(all, record.Setting{Name: "timeout", Value: l.Timeout.String()})
	}
	for _, p := range o.plan {
		all = append(all, record.Setting{Name: string(p.what) + " at", Value: p.at.String()})
	}
	return all
}

// machine describes this one, as far as /proc tells.
func machine() record.Machine {
	m := record.Machine{
		OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Load: -1,
		CPU: field("/proc/cpuinfo", "model name"),
	}
	if kilobytes, _, ok := strings.Cut(field("/proc/meminfo", "MemTotal"), " "); ok {
		n, _ := strconv.ParseInt(kilobytes, 10, 64) // 0, so not known, where the kernel writes something else
		m.Memory = n << 10
	}
	if averages, err := os.ReadFile("/proc/loadavg"); err == nil {
		minute, _, _ := strings.Cut(string(averages), " ")
		if n, err := strconv.ParseFloat(minute, 64); err == nil {
			m.Load = n
		}
	}
	return m
}

// field returns the first value that a file of "name: value" lines has for name.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
