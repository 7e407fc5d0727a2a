package resp_test

import (
	"strings"
	"testing"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func array100() []byte {
	frame := resp.AppendArray(nil, 100)
	for range 100 {
		frame = resp.AppendBulk(frame, strings.Repeat("v", 20))
	}
	return frame
}

func BenchmarkScanBulk64(b *testing.B) {
	frame := resp.AppendBulk(nil, strings.Repeat("v", 64))
	benchmarkScan(b, frame)
}

func BenchmarkScanOK(b *testing.B)  { benchmarkScan(b, []byte("+OK\r\n")) }
func BenchmarkScanInt(b *testing.B) { benchmarkScan(b, []byte(":1234567\r\n")) }
func BenchmarkScanArrayOfOne(b *testing.B) {
	benchmarkScan(b, resp.AppendBulk(resp.AppendArray(nil, 1), strings.Repeat("v", 64)))
}
func BenchmarkScanArray100(b *testing.B) { benchmarkScan(b, array100()) }

func benchmarkScan(b *testing.B, frame []byte) {
	var s resp.Scanner
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if n, err := s.Scan(frame); n != len(frame) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkDecodeArray100(b *testing.B) {
	frame := array100()
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if _, err := resp.Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPayload64(b *testing.B) {
	frame := resp.AppendBulk(nil, strings.Repeat("v", 64))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := resp.Payload(frame); !ok {
			b.Fatal("no payload")
		}
	}
}

func BenchmarkKindOfBulk64(b *testing.B) {
	frame := resp.AppendBulk(nil, strings.Repeat("v", 64))
	b.ReportAllocs()
	for b.Loop() {
		if resp.KindOf(frame) != resp.BulkString {
			b.Fatal("not a bulk string")
		}
	}
}

func BenchmarkInt(b *testing.B) {
	frame := []byte(":1234567\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := resp.Int(frame); !ok {
			b.Fatal("not an integer")
		}
	}
}

func BenchmarkRequestGet(b *testing.B) {
	var r resp.Request
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		r.Open("*1\r\n$3\r\nGET\r\n", len("GET"))
		r.Key("user:1234567")
		if len(r.Frame()) == 0 {
			b.Fatal("no frame")
		}
	}
}

func BenchmarkRequestSet64(b *testing.B) {
	value := strings.Repeat("v", 64)
	var r resp.Request
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		r.Open("*1\r\n$3\r\nSET\r\n", len("SET"))
		r.Key("user:1234567")
		r.Arg(value)
		if len(r.Frame()) == 0 {
			b.Fatal("no frame")
		}
	}
}
