package keyslot_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sigurn/crc16"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

func ExampleSlot() {
	fmt.Println(keyslot.Slot("foo"))
	fmt.Println(keyslot.Slot("{user:1}.name") == keyslot.Slot("{user:1}.mail"))
	// Output:
	// 12182
	// true
}

// referenceSlot follows the words of the cluster specification one by one, on sigurn's own checksum.
func referenceSlot(key string) uint16 {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	return crc16.Checksum([]byte(key), crc16.MakeTable(crc16.CRC16_XMODEM)) % 16384
}

func TestSlotHashesTheHashTagOnly(t *testing.T) {
	for _, tc := range []struct{ key, hashed string }{
		{"", ""},
		{"123456789", "123456789"},
		{"{}", "{}"},
		{"{}{a}", "{}{a}"},
		{"{{a}}", "{a"},
		{"{{}}", "{"},
		{"{a}", "a"},
		{"{a}{b}", "a"},
		{"x{a}y", "a"},
		{"a{", "a{"},
		{"a{b", "a{b"},
		{"}{", "}{"},
		{"}{a}", "a"},
		{"a}b", "a}b"},
		{"{\x00}", "\x00"},
		{"\xff\x00{\xfe\x0d\x0a}", "\xfe\x0d\x0a"},
		{"{123456789}", "123456789"},
	} {
		require.Equal(t, crc(tc.hashed), referenceSlot(tc.key), "the reference itself, key %q", tc.key)
		require.Equal(t, crc(tc.hashed), keyslot.Slot(tc.key), "key %q", tc.key)
		require.Equal(t, crc(tc.hashed), keyslot.SlotOfBytes([]byte(tc.key)), "key %q as bytes", tc.key)
	}
	require.EqualValues(t, 0x31C3, keyslot.Slot("123456789"), "the check value of CRC16/XMODEM")
}

func crc(s string) uint16 {
	return crc16.Checksum([]byte(s), crc16.MakeTable(crc16.CRC16_XMODEM)) % 16384
}

func TestSlotEqualsTheReferenceAtEveryLength(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		for range 20 {
			key := make([]byte, n)
			for i := range key {
				key[i] = byte(rng.Uint32())
			}
			require.Equal(t, referenceSlot(string(key)), keyslot.Slot(string(key)), "key %q", key)
			require.Equal(t, referenceSlot(string(key)), keyslot.SlotOfBytes(key), "key %q", key)
		}
	}
}

func TestSlotAllocatesNothing(t *testing.T) {
	key, encoded := "{user:1}.name", []byte("{user:1}.name")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		keyslot.Slot(key)
		keyslot.SlotOfBytes(encoded)
	}))
}

func FuzzSlot(f *testing.F) {
	for _, key := range []string{"", "foo", "{}", "{}{a}", "{{a}}", "a{", "a{b", "}{", "{user:1000}.following", "\x00\xff{\x80}"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		require.Equal(t, referenceSlot(key), keyslot.Slot(key))
		require.Equal(t, referenceSlot(key), keyslot.SlotOfBytes([]byte(key)))
		require.Less(t, keyslot.Slot(key), uint16(16384))
	})
}

func BenchmarkSlot(b *testing.B) {
	key := "session:0123456789abcdef01234567"
	for _, bench := range []struct{ name, key string }{
		{"8", key[:8]}, {"32", key}, {"tagged32", "{user:1234567}:profile:settings!"}, {"1024", strings.Repeat(key, 32)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				keyslot.Slot(bench.key)
			}
		})
	}
}
