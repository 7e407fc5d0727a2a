package keyslot_test

import (
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/keyslot-go/keyslot"

// mayImport says which of our packages each of our packages may import, tests aside; "." is the root. Imports point one
// way: keyslot -> command -> internal/resp, keyslot -> internal/wire -> internal/resp, keyslot -> internal/spec. A new
// package gets a row, and with it a decision.
var mayImport = map[string][]string{
	".":                          {"command", "internal/resp", "internal/spec", "internal/wire"},
	"command":                    {"internal/resp", "internal/spec"},
	"command/gen":                {"internal/resp", "internal/spec"},
	"internal/differential":      {"command", "internal/resp"},
	"keyslottest":                {"internal/loopback", "internal/resp", "internal/spec"}, // users import it beside any client
	"internal/resp":              {},
	"internal/wire":              {"internal/resp"},
	"internal/spec":              {},
	"internal/spec/rows":         {},
	"internal/spec/dump":         {"internal/resp", "internal/spec/rows"},
	"internal/spec/gen":          {"internal/spec/rows"},
	"internal/loopback":          {},
	"internal/fakenode":          {"internal/loopback", "internal/resp"},
	"internal/leak":              {},
	"internal/realcluster":       {"internal/loopback"}, // must not share a fault with the codec under test
	"internal/realcluster/fetch": {"internal/realcluster"},
	"examples/quickstart":        {".", "command", "keyslottest"},
	"examples/service":           {".", "command", "keyslottest"},
}

func TestImportsPointOneWay(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		from := path.Dir(file)
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("package %s has no row in mayImport: say there what it may import", from)
			continue
		}
		for _, imported := range importsOf(t, file) {
			if to, ours := ourPackage(imported); ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, but package %s may import only %v of ours", file, to, from, allowed)
			}
		}
	}
}

// Modules that are published on their own import what users of this one may: what is internal may change under them.
func TestPublishedModulesImportWhatIsPublic(t *testing.T) {
	for _, file := range everyGoFile(t) {
		dir := path.Dir(file)
		if dir != "elasticache" && dir != "keyslototel" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, imported := range importsOf(t, file) {
			if to, ours := ourPackage(imported); ours && to != "." && to != "command" {
				t.Errorf("%s imports %s, but %s may import only keyslot and command of ours", file, to, dir)
			}
		}
	}
}

// The codec turns bytes into values: whoever adds a connection to it makes it harder to test at every split point.
func TestCodecKnowsNoNetwork(t *testing.T) {
	for _, file := range goFiles(t) {
		if path.Dir(file) != "internal/resp" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, imported := range importsOf(t, file) {
			if imported == "net" || strings.HasPrefix(imported, "net/") || imported == "crypto/tls" {
				t.Errorf("%s imports %s: the codec knows no network", file, imported)
			}
		}
	}
}

// ourPackage returns an import path's directory in this module; another module's path is not ours.
func ourPackage(imported string) (dir string, ours bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	require.NoError(t, err)
	var paths []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		paths = append(paths, imported)
	}
	return paths
}
