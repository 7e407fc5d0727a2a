package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// groups is the order in which the usage shows flags.
var groups = []struct {
	title string
	flags []string
}{ // never written
	{"Where", []string{"endpoint", "tls", "user", "iam", "local", "in-process", "shards", "replicas"}},
	{"What an operation is", []string{"reads", "keys", "dist", "value", "sessions", "pipeline"}},
	{"How operations come", []string{"workers", "rate", "ramp", "conns", "replica-reads", "timeout"}},
	{"Who, and for how long", []string{"client", "duration", "warmup", "window", "repeat", "seed"}},
	{"Experiments (done to a local cluster; for any other the command is shown, and the change waited for)",
		[]string{"scale-out-at", "scale-in-at", "failover-at", "kill-at"}},
	{"What comes out (a table, without any of these)", []string{"report", "chart", "json", "csv", "emf"}},
}

const usageHead = `bench puts a cluster under load, does something to it, and shows what callers notice.

  go run ./examples/bench -local -duration 40s -scale-out-at 15s -report report.html
  go run ./examples/bench -endpoint clustercfg.NAME.ID.REGION.cache.amazonaws.com:6379 -tls
  go run ./examples/bench -local -client keyslot,goredis,rueidis -repeat 3

Load goes to that cluster only. Keys begin with keyslot-bench: and are removed at the end.
`

// usage prints all flags in their groups.
func usage(w io.Writer) {
	set := flagSet(new(options))
	fmt.Fprint(w, usageHead)
	for _, group := range groups {
		fmt.Fprintf(w, "\n%s\n", group.title)
		for _, name := range group.flags {
			printFlag(w, set.Lookup(name))
		}
	}
}

const (
	flagWidth = 22
	textWidth = 100 // what a line of the descriptions may be, with the flag before it
)

func printFlag(w io.Writer, f *flag.Flag) {
	argument, text := flag.UnquoteUsage(f)
	head := "-" + f.Name
	if argument != "" {
		head += " " + argument
	}
	switch f.DefValue {
	case "", "0", "0s", "false":
	default:
		text += " (default " + f.DefValue + ")"
	}
	line := fmt.Sprintf("  %-*s", flagWidth, head)
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > textWidth {
			fmt.Fprintln(w, line)
			line = strings.Repeat(" ", flagWidth+2)
		}
		line += " " + word
	}
	fmt.Fprintln(w, line)
}
