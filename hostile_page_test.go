package keyslot_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page of attacks names tests that there are.
func TestHostilePageNamesTests(t *testing.T) {
	page, err := os.ReadFile("docs/hostile.md")
	require.NoError(t, err)
	var tests strings.Builder
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			tests.Write(content)
		}
	}
	named := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAllString(string(page), -1)
	require.Greater(t, len(named), 80)
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("docs/hostile.md names %s, which is no test", name)
		}
	}
}

// Whoever wants to skip the verification of certificates does it in a configuration of their own.
func TestVerificationIsNeverSkipped(t *testing.T) {
	for _, file := range goFiles(t) {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(content), "InsecureSkipVerify") {
			t.Errorf("%s skips the verification of certificates", file)
		}
	}
}
