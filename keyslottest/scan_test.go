package keyslottest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// Large values come page by page, and each element in one of the pages: in which order differs from server to server,
// so no situation can tell.
func TestScanOfALargeValueReturnsEachElementOnce(t *testing.T) {
	s := connect(t, start(t, keyslottest.Options{Shards: 1}).Endpoint())
	var want []string
	for i := range 300 {
		member := fmt.Sprintf("m%03d", i)
		want = append(want, member)
		s.want(":1", "SADD s "+member)
		s.want(":1", "ZADD z 1 "+member)
		s.want(":1", "HSET h "+member+" v")
	}
	for command, width := range map[string]int{"SSCAN s": 1, "ZSCAN z": 2, "HSCAN h": 2} {
		var seen []string
		pages := 0
		for cursor := "0"; pages == 0 || cursor != "0"; pages++ {
			// *2  $n cursor  *n  $n member ...
			lines := strings.Split(strings.TrimSpace(s.do(command+" "+cursor+" COUNT 7")), "\r\n")
			cursor = lines[2]
			for i := 5; i < len(lines); i += 2 * width {
				seen = append(seen, lines[i])
			}
		}
		slices.Sort(seen)
		require.Equal(t, want, seen, command)
		require.Equal(t, (300+6)/7, pages, command)
	}
}
