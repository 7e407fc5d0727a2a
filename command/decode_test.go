package command

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Short strings share memory, in blocks that grow to 1 KiB and no further: whoever keeps one keeps no more than that.
func TestShortStringsShareBlocks(t *testing.T) {
	for _, row := range []struct{ length, blocks int }{{0, 0}, {1, 2}, {64, 10}, {128, 15}, {129, 100}} {
		text := bytes.Repeat([]byte("v"), row.length)
		require.EqualValues(t, row.blocks, testing.AllocsPerRun(1, func() {
			var p packer
			for range 100 {
				if len(p.text(text)) != row.length || p.block.Cap() > maxBlock {
					panic("wrong length or block")
				}
			}
		}), "100 strings of %d bytes", row.length)
	}
}

func TestPackedStringsStayAsTheyAre(t *testing.T) {
	var p packer
	var packed []string
	for i := range 1000 {
		packed = append(packed, p.text([]byte(strings.Repeat(fmt.Sprint(i), i%40))))
	}
	for i, s := range packed {
		require.Equal(t, strings.Repeat(fmt.Sprint(i), i%40), s)
	}
}

func TestWithoutAPackerEachStringIsByItself(t *testing.T) {
	var p *packer
	require.Equal(t, "value", p.text([]byte("value")))
}

func BenchmarkPackedStrings(b *testing.B) {
	text := bytes.Repeat([]byte("v"), 64)
	for name, p := range map[string]*packer{"shared": {}, "alone": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.text(text)
			}
		})
	}
}
