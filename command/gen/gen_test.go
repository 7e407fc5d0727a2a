package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsCommittedIsWhatTheTablesSay(t *testing.T) {
	files, err := Generate("..")
	require.NoError(t, err)
	committed, err := filepath.Glob("../*_gen.go")
	require.NoError(t, err)
	require.Len(t, committed, len(files)-1, "besides the list for the differential test")
	for name, source := range files {
		text, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		require.Equal(t, string(source), string(text), "run go generate ./command")
	}
}

func TestATableThatIsWrongIsRefusedWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"Get(key key) text\n\tGET key; O(1)\n":                      "t.txt:1: the comment above does not begin",
		"// Get x.\nGet(key key) words\n\tGET key; O(1)\n":          "t.txt:2: no decoder words",
		"// Get x.\nGet(key name) text\n\tGET key; O(1)\n":          "t.txt:2: unknown type name",
		"// Get x.\nGet(key key) text\n\tGET; O(1)\n":               "t.txt:3: key is not sent",
		"// Get x.\nGet(key key) text\n\tGET key field; O(1)\n":     "t.txt:3: field is no parameter",
		"// Get x.\nGet(key key) text\n\tGET key\n":                 "t.txt:3: not what is sent",
		"\tGET key; O(1)\n":                                         "t.txt:1: there is no method above",
		"// EX x.\noption EX(ttl seconds) = EX for SetOption\n":     "t.txt:2: ttl is not sent",
		"// PX x.\noption EX(ttl seconds) = EX ttl for SetOption\n": "t.txt:2: the comment above does not begin",
	} {
		path := filepath.Join(t.TempDir(), "t.txt")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		s := &tableSet{decoders: map[string]string{"text": "string"}, options: map[string][]string{}}
		require.ErrorContains(t, s.parse(path), want)
	}
}

func TestTheCommentSaysWhereACommandGoes(t *testing.T) {
	key, keys := param{name: "key", kind: "key"}, param{name: "keys", kind: "key", slice: true}
	for wire, row := range map[string]struct {
		params []param
		want   string
	}{
		"GET key":                      {[]param{key}, "to the primary of key's slot, or a replica where ReadFrom says so"},
		"EVAL script #keys keys":       {[]param{{name: "script", kind: "string"}, keys}, "to the primary of the slot that all keys share, or any primary where there are no keys"},
		"MSETNX pairs":                 {[]param{{name: "pairs", kind: "Pair", variadic: true}}, "to the primary of the slot that all keys share"},
		"MSETEX pairs":                 {[]param{{name: "pairs", kind: "PairList"}}, "to the primary of the slot that all keys share"},
		"CLUSTER COUNTKEYSINSLOT slot": {[]param{{name: "slot", kind: "int"}}, "to the primary that owns the slot"},
		"TIME":                         {nil, "to any primary"},
		"PUBLISH channel message":      {[]param{{name: "channel", kind: "string"}}, "to the primary of channel's slot, or else another one"},
		"ACL LIST":                     {nil, "to any primary"},
		"DBSIZE":                       {nil, "to every primary"},
	} {
		m := &method{wire: strings.Fields(wire), params: row.params}
		require.Equal(t, row.want, m.destination(), wire)
	}
}

func TestNamesOfUnexportedThings(t *testing.T) {
	for name, want := range map[string]string{
		"Get": "get", "ZAdd": "zAdd", "LCSIdx": "lcsIdx", "EX": "ex", "MSetEx": "mSetEx", "Type": "typeCommand", "Keys": "keysCommand",
	} {
		require.Equal(t, want, encoderName(name))
	}
}
