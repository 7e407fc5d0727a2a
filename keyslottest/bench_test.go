package keyslottest_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// BenchmarkPipelinedGet is what the engine of a load test has to give: pipelines of 64 GETs on every connection.
func BenchmarkPipelinedGet(b *testing.B) {
	c := start(b, keyslottest.Options{})
	const depth = 64
	pipeline := bytes.Repeat([]byte("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"), depth)
	b.RunParallel(func(pb *testing.PB) {
		s := connect(b, c.Owner("a").Addr)
		s.want("+OK", "SET a x")
		replies := make([]byte, depth*len("$1\r\nx\r\n"))
		for pb.Next() {
			_, err := s.nc.Write(pipeline)
			require.NoError(b, err)
			_, err = io.ReadFull(s.r, replies)
			require.NoError(b, err)
		}
	})
	b.ReportMetric(float64(b.N)*depth/b.Elapsed().Seconds(), "commands/s")
}
