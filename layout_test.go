package keyslot_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// maxLines is the size up to which a hand-written file can be read in one go.
const maxLines = 600

// generatedHeader is the line by which tools recognize generated files.
var generatedHeader = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFilesAreShortOrMarkedAsGenerated(t *testing.T) {
	for _, file := range everyGoFile(t) {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		header, _, _ := bytes.Cut(content, []byte("\npackage "))
		marked := generatedHeader.Match(header)
		if named := strings.HasSuffix(file, "_gen.go"); named != marked {
			t.Errorf("%s: a file ends in _gen.go (%v here) if and only if it has the header of generated code (%v here)", file, named, marked)
		}
		if lines := bytes.Count(content, []byte("\n")); !marked && lines > maxLines {
			t.Errorf("%s has %d lines, a file written by hand has at most %d", file, lines, maxLines)
		}
	}
}

// maxComment is how many columns a line of a comment may take, a tab being four of them: 120, or where that saves a
// paragraph from a last line of one word a few more.
const maxComment = 128

var (
	flowingComment = regexp.MustCompile(`(?m)^(\t*)(// [^\s{].*)$`)
	exampleFile    = regexp.MustCompile(`(^|/)example(_\w+)?_test\.go$`) // in which comments are output
)

func TestCommentsAreWrapped(t *testing.T) {
	for _, file := range everyGoFile(t) {
		if strings.HasSuffix(file, "_gen.go") || exampleFile.MatchString(file) {
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, line := range flowingComment.FindAllStringSubmatch(string(content), -1) {
			if width := 4*len(line[1]) + utf8.RuneCountInString(line[2]); width > maxComment {
				t.Errorf("%s: a line of a comment has %d columns: %s", file, width, line[2])
			}
		}
	}
}

// goFiles returns the Go files of this module, with slashes, relative to its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	return walkGoFiles(t, func(dir string) bool { return isForeign(dir) || isModule(dir) })
}

// everyGoFile returns those of the modules in it too.
func everyGoFile(t *testing.T) []string {
	t.Helper()
	return walkGoFiles(t, isForeign)
}

func walkGoFiles(t *testing.T, skip func(dir string) bool) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() && name != "." && skip(name) {
			return fs.SkipDir
		}
		if path.Ext(name) == ".go" {
			files = append(files, name)
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// isForeign reports whether the go command leaves a directory out.
func isForeign(dir string) bool {
	base := path.Base(dir)
	return strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata"
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
