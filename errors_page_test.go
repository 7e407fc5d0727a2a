package keyslot_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	quotedCode = regexp.MustCompile("(?s)```go\n(.*?)```")
	exampleOf  = regexp.MustCompile(`(?ms)^func (Example\w+)\(\) \{$.*?^\}$`)
	lineStart  = regexp.MustCompile(`(?m)^(.)`)
)

// What docs/errors.md shows is what runs: it quotes one piece of each example, word for word.
func TestThePageOnErrorsQuotesItsExamples(t *testing.T) {
	page, err := os.ReadFile("docs/errors.md")
	require.NoError(t, err)
	file, err := os.ReadFile("example_errors_test.go")
	require.NoError(t, err)
	examples := exampleOf.FindAllStringSubmatch(string(file), -1)
	quotes := map[string]int{} // by example
	for _, quoted := range quotedCode.FindAllStringSubmatch(string(page), -1) {
		found := false
		for _, example := range examples {
			if strings.Contains(example[0], "\n"+lineStart.ReplaceAllString(quoted[1], "\t$1")) {
				found = true
				quotes[example[1]]++
			}
		}
		require.True(t, found, "no example has these lines:\n%s", quoted[1])
	}
	for _, example := range examples {
		require.Equal(t, 1, quotes[example[1]], "quotes of %s", example[1])
	}
	require.Len(t, quotes, 16)
}
