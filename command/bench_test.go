package command_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keyslot-go/keyslot/command"
)

func BenchmarkMembersWithScores(b *testing.B) {
	const n = 100
	flat, nested := fmt.Sprintf("*%d\r\n", 2*n), fmt.Sprintf("*%d\r\n", n)
	for i := range n {
		flat += fmt.Sprintf("$6\r\nuser%02d\r\n$5\r\n%02d.25\r\n", i%100, i%100)
		nested += fmt.Sprintf("*2\r\n$6\r\nuser%02d\r\n,%d.25\r\n", i%100, i)
	}
	for _, frame := range []string{flat, nested} {
		b.Run(strings.TrimSpace(frame[:4]), func(b *testing.B) {
			b.ReportAllocs()
			c := answering(frame)
			for b.Loop() {
				if _, err := c.ZRangeWithScores(ctx, "z", command.ByIndex(0, n-1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
