package keyslottest

import "strings"

// slotCount is the number of hash slots of every cluster.
const slotCount = 16384

// crcTable holds the CRC16/XMODEM of every single byte (polynomial 0x1021), the checksum the cluster specification names.
// It is computed here and not imported, so that a mistake in the client's slot function cannot hide in its test double.
var crcTable = makeCRCTable()

func makeCRCTable() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}

// slotOf is the slot of key. Only the hash tag is hashed where there is one: the text between the first '{' and the
// first '}' behind it, unless that is empty.
func slotOf(key string) uint16 {
	if _, rest, found := strings.Cut(key, "{"); found {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for i := range len(key) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^key[i]]
	}
	return crc % slotCount
}
