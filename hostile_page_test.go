package keyslot_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page of attacks names tests that there are.
func TestHostilePageNamesTests(t *testing.T) {
	require.Greater(t, namesTests(t, "docs/hostile.md"), 80)
}

// So do the other pages, where they prove something by a test.
func TestPagesNameTests(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	named := 0
	for _, page := range append(pages, "DESIGN.md", "README.md", "CONTRIBUTING.md", "internal/wire/README.md") {
		named += namesTests(t, page)
	}
	require.Greater(t, named, 85)
}

// namesTests requires that whatever a page calls a test is one, and returns how many it names.
func namesTests(t *testing.T, page string) int {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var tests strings.Builder
	for _, file := range everyGoFile(t) {
		if strings.HasSuffix(file, "_test.go") {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			tests.Write(content)
		}
	}
	named := regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(string(text), -1)
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("%s names %s, which is no test", page, name)
		}
	}
	return len(named)
}

// Whoever wants to skip the verification of certificates does it in a configuration of their own.
func TestVerificationIsNeverSkipped(t *testing.T) {
	for _, file := range everyGoFile(t) {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(content), "InsecureSkipVerify") {
			t.Errorf("%s skips the verification of certificates", file)
		}
	}
}
