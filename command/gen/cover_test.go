package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// untyped are the groups that have no methods: modules, by Do, and transactions, by Client.Tx and Client.Watch.
var untyped = []string{"json", "bf", "cf", "cms", "topk", "tdigest", "timeseries", "search", "suggestion", "vector_set", "transactions"}

// elsewhere are the commands that the client runs by methods of its own.
var elsewhere = []string{
	"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", // Client.Subscribe and its like
	"SCAN", "HSCAN", "SSCAN", "ZSCAN", // Client.Scan and its like
	"WAIT", "WAITAOF", // Client.WriteAndWait
}

// A command without a method is named, with the reason, in the comment on top of its table.
func TestEveryCommandHasAMethodOrAReason(t *testing.T) {
	has := map[string]bool{}
	s := &tableSet{options: map[string][]string{}}
	var err error
	s.decoders, err = findDecoders("..")
	require.NoError(t, err)
	tables, err := filepath.Glob("*.txt")
	require.NoError(t, err)
	for _, path := range tables {
		require.NoError(t, s.parse(path))
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, name := range withoutMethod(string(text)) {
			has[name] = true
			_, known := spec.ByName(name)
			require.True(t, known, "%s names %q, which is no command", path, name)
		}
	}
	for _, table := range s.tables {
		for _, m := range table.methods {
			has[m.command().Name] = true
		}
	}
	for cmd := range spec.All() {
		known := has[cmd.Name] || cmd.Refuse != "" || cmd.Flags.Has(spec.Container) || cmd.Flags.Has(spec.Module) ||
			strings.HasSuffix(cmd.Name, " HELP") || slices.Contains(untyped, cmd.Group) || slices.Contains(elsewhere, cmd.Name)
		if !known {
			t.Errorf("%s (%s) has no method, and no table says why", cmd.Name, cmd.Group)
		}
	}
}

var (
	aside = regexp.MustCompile(`\([^)]*\)`)
	upper = regexp.MustCompile(`^[A-Z][A-Z_-]*( [A-Z][A-Z_-]*)?$`)
)

// withoutMethod returns the commands that the comment of a table lists behind "Without a method".
func withoutMethod(table string) (names []string) {
	var list string
	for line := range strings.Lines(table) {
		text, ok := strings.CutPrefix(line, "# ")
		switch _, rest, begins := strings.Cut(text, "Without a method"); {
		case ok && begins:
			_, list, _ = strings.Cut(rest, ":")
		case ok && list != "":
			list += " " + text
		default:
			list += "."
		}
	}
	for _, name := range strings.FieldsFunc(aside.ReplaceAllString(strings.ReplaceAll(list, "\n", " "), ""), func(r rune) bool { return strings.ContainsRune(",;.:", r) }) {
		if name = strings.Join(strings.Fields(name), " "); upper.MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}
