// Package rows is the file format of the command dumps: what a server says of its commands in COMMAND and COMMAND DOCS,
// one command a line, so that two versions of a dump differ only in the lines of the commands that changed. The dump
// command writes it, the generator reads it; no program that uses the command table does.
package rows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// File is the dump of one server.
type File struct {
	Server   string `json:"server"`  // "redis" or "valkey"
	Version  string `json:"version"` // as INFO server says, such as "7.0.15"
	Commands []Row  `json:"commands"`
}

// Row is one command or one subcommand.
type Row struct {
	Name       string     `json:"name"` // upper case, "CONFIG GET" for a subcommand
	Group      string     `json:"group,omitempty"`
	Since      string     `json:"since,omitempty"`
	Arity      int        `json:"arity"`
	Flags      []string   `json:"flags,omitempty"` // as sent, sorted
	ACL        []string   `json:"acl,omitempty"`   // categories without "@", sorted
	Tips       []string   `json:"tips,omitempty"`
	Keys       []KeySpec  `json:"keys,omitempty"`
	Container  bool       `json:"container,omitempty"` // has subcommands
	Summary    string     `json:"summary,omitempty"`
	Deprecated string     `json:"deprecated,omitempty"` // the version that deprecated it
	ReplacedBy string     `json:"replaced_by,omitempty"`
	Arguments  []Argument `json:"arguments,omitempty"`
}

// KeySpec says where keys stand. The search begins at Index, or behind the word Keyword, looked for from argument From
// on (backwards when From is negative). Without Numkeys it then takes every Step-th argument up to Last, which counts
// from where it began, or from the end when negative; Limit n stops after the n-th part of the rest. With Numkeys, the
// argument Numkeys further on holds how many keys follow, from First on.
type KeySpec struct {
	Flags   []string `json:"flags,omitempty"` // sorted
	Index   int      `json:"index,omitempty"`
	Keyword string   `json:"keyword,omitempty"`
	From    int      `json:"from,omitempty"`
	Last    int      `json:"last,omitempty"`
	Step    int      `json:"step,omitempty"`
	Limit   int      `json:"limit,omitempty"`
	Numkeys *int     `json:"numkeys,omitempty"`
	First   int      `json:"first,omitempty"`
	Unknown bool     `json:"unknown,omitempty"` // the server cannot say where
}

// Argument is one argument of a command's documentation; blocks and alternatives nest.
type Argument struct {
	Name      string     `json:"name"`
	Type      string     `json:"type"`
	Token     string     `json:"token,omitempty"`
	Since     string     `json:"since,omitempty"`
	Key       *int       `json:"key,omitempty"` // which of the row's Keys it belongs to
	Flags     []string   `json:"flags,omitempty"`
	Arguments []Argument `json:"arguments,omitempty"`
}

// Write prints the file, its commands sorted by name.
func (f *File) Write(w io.Writer) error {
	commands := slices.Clone(f.Commands)
	slices.SortFunc(commands, func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
	var out bytes.Buffer
	fmt.Fprintf(&out, "{\"server\":%q,\"version\":%q,\"commands\":[\n", f.Server, f.Version)
	for i := range commands {
		line, err := marshal(&commands[i])
		if err != nil {
			return err
		}
		out.Write(line)
		if i < len(commands)-1 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
	}
	out.WriteString("]}\n")
	_, err := w.Write(out.Bytes())
	return err
}

// marshal is json.Marshal without the HTML escapes, which would make "a < b" of a summary hard to read.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// Read parses what Write printed. A field it does not know is an error: it would be a typing mistake.
func Read(r io.Reader) (*File, error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var f File
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	return &f, nil
}
