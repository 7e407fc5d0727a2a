package keyslot

import (
	"strings"
	"unsafe"

	"github.com/sigurn/crc16"
)

// slotCount is the number of hash slots of every cluster (cluster specification, "Key distribution model").
const slotCount = 16384

// Slot returns the hash slot of key, 0-16383: the CRC16/XMODEM of the key, or of its hash tag if it has one, modulo
// 16384 (cluster specification, "Hash tags"). A hash tag is what stands between the first '{' and the first '}' after
// it, unless that is nothing: "{user:1}.name" and "{user:1}.mail" share a slot. Slot does not block, allocates nothing
// and is safe for concurrent use.
func Slot(key string) uint16 { return checksum(hashed(key)) % slotCount }

// slotOf is Slot for a key as the caller gave it, or as it stands encoded in a command.
func slotOf[T string | []byte](key T) uint16 {
	// A string and a []byte both begin with a pointer and a length, so either reads as a string. BenchmarkSlot: one
	// body over strings takes 2/3 of the time of a generic one, which can neither use IndexByte nor drop bounds checks.
	return Slot(*(*string)(unsafe.Pointer(&key)))
}

// hashed returns the part of key that is hashed: the hash tag, else all of it.
func hashed(key string) string {
	open := strings.IndexByte(key, '{')
	if open < 0 {
		return key
	}
	// Only the first '{' counts, and only the first '}' behind it: "{}{a}" has an empty tag, so all of it is hashed.
	tag := key[open+1:]
	if n := strings.IndexByte(tag, '}'); n > 0 {
		return tag[:n]
	}
	return key
}

// xmodem[k][b] is the CRC16/XMODEM of the byte b followed by k zero bytes. A CRC is linear, so the checksum of eight
// bytes is the XOR of eight independent lookups (slicing-by-8). It is never written after start-up.
var xmodem = makeXmodem()

func makeXmodem() (t [8][256]uint16) {
	reference := crc16.MakeTable(crc16.CRC16_XMODEM)
	for b := range t[0] {
		t[0][b] = crc16.Checksum([]byte{byte(b)}, reference)
	}
	for k := 1; k < len(t); k++ {
		for b, crc := range t[k-1] {
			t[k][b] = crc<<8 ^ t[0][crc>>8]
		}
	}
	return t
}

// checksum is the CRC16/XMODEM of s.
func checksum(s string) (crc uint16) {
	for ; len(s) >= 8; s = s[8:] {
		crc = xmodem[7][s[0]^byte(crc>>8)] ^ xmodem[6][s[1]^byte(crc)] ^
			xmodem[5][s[2]] ^ xmodem[4][s[3]] ^ xmodem[3][s[4]] ^
			xmodem[2][s[5]] ^ xmodem[1][s[6]] ^ xmodem[0][s[7]]
	}
	for i := range len(s) {
		crc = crc<<8 ^ xmodem[0][s[i]^byte(crc>>8)]
	}
	return crc
}
