package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot/internal/spec/rows"
)

// dumps are in order of authority: a later one replaces the rows of an earlier one.
var dumps = [...]string{"redis-7.0.15.json", "valkey-8.0.1.json"}

const overlayFile = "overlay.json"

// overlay holds what the dumps lack or have wrong.
type overlay struct {
	// Commands are rows of newer servers and of modules, in the form of the dumps but for the keys.
	Commands []newRow `json:"commands"`
	// Changes are applied to the rows in their order.
	Changes []change `json:"changes"`
}

type newRow struct {
	// Names are the commands that this row describes.
	Names []string `json:"names"`
	Group string   `json:"group"`
	Since string   `json:"since"`
	Arity int      `json:"arity"`
	Flags []string `json:"flags"`
	Tips  []string `json:"tips"`
	Keys  []keys   `json:"keys"`
}

type change struct {
	// Names are the commands to change; "*" stands for any part of a word, as in "* HELP".
	Names []string `json:"names"`
	// Why is for the reader of the overlay.
	Why      string   `json:"why"`
	Refuse   string   `json:"refuse"`
	Add      []string `json:"add"` // flags
	Keys     []keys   `json:"keys"`
	Timeout  *timeout `json:"timeout"`
	Slot     int      `json:"slot"`
	Request  string   `json:"request"`
	Response string   `json:"response"`
	Arity    int      `json:"arity"`
}

// keys is one key spec. Form "" is a plain range from Index on; "counted" has the number of keys at Index. The others
// are those of package spec.
type keys struct {
	Form  string `json:"form"`
	Index int    `json:"index"`
	Last  int    `json:"last"`
	Step  int    `json:"step"`
}

type timeout struct {
	At     int    `json:"at"`
	Unit   string `json:"unit"`
	Option bool   `json:"option"`
}

// command is one row of the table to be printed.
type command struct {
	Name, Group, Since string
	Arity              int
	Flags              []string // as the server calls them, or as package spec does
	Keys               []keys
	Request, Response  string
	Refuse             string
	Timeout            timeout
	Slot               int
}

// merge reads dumps and overlay in dir and returns the rows sorted by name.
func merge(dir string) ([]*command, error) {
	table := make(map[string]*command)
	for _, name := range dumps {
		if err := addDump(table, dir+"/"+name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := addOverlay(table, dir+"/"+overlayFile); err != nil {
		return nil, fmt.Errorf("%s: %w", overlayFile, err)
	}
	for name, c := range table {
		if len(c.Keys) == 1 && c.Keys[0].Form == unknownKeys {
			return nil, fmt.Errorf("%s: the server cannot say where its keys are, and the overlay does not", name)
		}
	}
	return slices.SortedFunc(maps.Values(table), func(a, b *command) int { return strings.Compare(a.Name, b.Name) }), nil
}

func addDump(table map[string]*command, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	dump, err := rows.Read(f)
	if err != nil {
		return err
	}
	for i := range dump.Commands {
		r := &dump.Commands[i]
		c := &command{Name: r.Name, Group: r.Group, Since: r.Since, Arity: r.Arity, Flags: r.Flags}
		if slices.Contains(r.ACL, "dangerous") {
			c.Flags = append(c.Flags, "dangerous")
		}
		if r.Container {
			c.Flags = append(c.Flags, "container")
		}
		c.setTips(r.Tips)
		c.Keys = keysOf(r.Keys)
		if slices.ContainsFunc(r.Keys, func(k rows.KeySpec) bool { return slices.Contains(k.Flags, "not_key") }) {
			c.Flags = append(c.Flags, "route_only")
		}
		table[c.Name] = c
	}
	return nil
}

func (c *command) setTips(tips []string) {
	for _, t := range tips {
		if v, ok := strings.CutPrefix(t, "request_policy:"); ok {
			c.Request = v
		}
		if v, ok := strings.CutPrefix(t, "response_policy:"); ok {
			c.Response = v
		}
	}
}

// unknownKeys marks a command that the overlay must describe.
const unknownKeys = "unknown"

// keysOf translates the key specs of a dump. It gives up on what only a program of its own can find, such as keywords.
func keysOf(specs []rows.KeySpec) []keys {
	var all []keys
	for _, s := range specs {
		k := keys{Index: s.Index, Last: s.Last, Step: s.Step}
		switch {
		case s.Unknown || s.Keyword != "":
			return []keys{{Form: unknownKeys}}
		case s.Numkeys != nil:
			k = keys{Form: "counted", Index: s.Index + *s.Numkeys, Step: s.Step}
		case s.Last > 0: // the dump counts from where the search began
			k.Last += s.Index
		}
		all = append(all, k)
	}
	return all
}

func addOverlay(table map[string]*command, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	var o overlay
	if err := dec.Decode(&o); err != nil {
		return err
	}
	for _, r := range o.Commands {
		for _, name := range r.Names {
			if table[name] != nil {
				return fmt.Errorf("%s is in a dump already", name)
			}
			c := &command{Name: name, Group: r.Group, Since: r.Since, Arity: r.Arity, Flags: r.Flags, Keys: r.Keys}
			c.setTips(r.Tips)
			table[name] = c
		}
	}
	for _, ch := range o.Changes {
		for _, pattern := range ch.Names {
			if err := apply(table, pattern, &ch); err != nil {
				return err
			}
		}
	}
	return nil
}

func apply(table map[string]*command, pattern string, ch *change) error {
	matched := false
	for name, c := range table {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return fmt.Errorf("%s: %w", pattern, err)
		}
		if ok {
			matched = true
			c.apply(ch)
		}
	}
	if !matched {
		return fmt.Errorf("no command is called %s", pattern)
	}
	return nil
}

func (c *command) apply(ch *change) {
	c.Flags = append(slices.Clone(c.Flags), ch.Add...)
	if ch.Refuse != "" {
		c.Refuse = ch.Refuse
	}
	if ch.Keys != nil {
		c.Keys = ch.Keys
	}
	if ch.Timeout != nil {
		c.Timeout = *ch.Timeout
	}
	if ch.Slot != 0 {
		c.Slot = ch.Slot
	}
	if ch.Request != "" {
		c.Request = ch.Request
	}
	if ch.Response != "" {
		c.Response = ch.Response
	}
	if ch.Arity != 0 {
		c.Arity = ch.Arity
	}
}
