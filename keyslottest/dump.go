package keyslottest

import (
	"encoding/binary"
	"hash/crc64"
	"math"
	"strconv"
	"strings"
	"time"
)

// A payload of DUMP is an RDB value, the version of RDB in two bytes, and a checksum in eight:
//
//	00  0b  hello world  0a 00  <crc>    a string, by its length
//	00  c0  01           0a 00  <crc>    a string that is a number
const (
	rdbVersion = 10 // of serverVersion
	rdbString  = 0
	rdbFooter  = 2 + 8

	errPayload = "ERR DUMP payload version or checksum are wrong"
	errFormat  = "ERR Bad data format"
)

// The first two bits of a length say how long it is, or that the others name an encoding.
const (
	length6  = 0b00 << 6
	length14 = 0b01 << 6
	length32 = 0x80
	length64 = 0x81
	int8In   = 0xc0
	int16In  = 0xc1
	int32In  = 0xc2
	lzfIn    = 0xc3
)

// checksum is the CRC-64 of Redis. The one of the standard library starts from and ends in the complement.
func checksum(payload []byte) uint64 {
	return ^crc64.Update(math.MaxUint64, crc64.MakeTable(0x95ac9329ac4bc9b5), payload)
}

// dumpString is the payload of a string as a server writes it, but never compressed.
func dumpString(value string) []byte {
	p := []byte{rdbString}
	n, err := strconv.ParseInt(value, 10, 32)
	switch size := len(value); {
	case err == nil && strconv.FormatInt(n, 10) == value:
		p = appendNumber(p, n)
	case size < 1<<6:
		p = append(append(p, length6|byte(size)), value...)
	case size < 1<<14:
		p = append(append(p, length14|byte(size>>8), byte(size)), value...)
	default:
		p = append(binary.BigEndian.AppendUint32(append(p, length32), uint32(size)), value...)
	}
	p = binary.LittleEndian.AppendUint16(p, rdbVersion)
	return binary.LittleEndian.AppendUint64(p, checksum(p))
}

func appendNumber(p []byte, n int64) []byte {
	switch {
	case n == int64(int8(n)):
		return append(p, int8In, byte(n))
	case n == int64(int16(n)):
		return binary.LittleEndian.AppendUint16(append(p, int16In), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(p, int32In), uint32(n))
}

// restoreString reads the payload of a string, or says what is wrong with it.
func restoreString(payload string) (value, refusal string) {
	p := []byte(payload)
	end := len(p) - rdbFooter
	if end < 0 || binary.LittleEndian.Uint16(p[end:]) > rdbVersion || binary.LittleEndian.Uint64(p[end+2:]) != checksum(p[:end+2]) {
		return "", errPayload
	}
	if p = p[:end]; len(p) < 2 {
		return "", errFormat
	}
	if p[0] != rdbString || p[1] == lzfIn {
		return "", "ERR not supported by keyslottest: a payload that is compressed, or of another type than string"
	}
	head, p := p[1], p[2:]
	var size uint64
	var rest []byte
	switch {
	case head == int8In && len(p) == 1:
		return strconv.Itoa(int(int8(p[0]))), ""
	case head == int16In && len(p) == 2:
		return strconv.Itoa(int(int16(binary.LittleEndian.Uint16(p)))), ""
	case head == int32In && len(p) == 4:
		return strconv.Itoa(int(int32(binary.LittleEndian.Uint32(p)))), ""
	case head < length14:
		size, rest = uint64(head), p
	case head < length32 && len(p) >= 1:
		size, rest = uint64(head&^length14)<<8|uint64(p[0]), p[1:]
	case head == length32 && len(p) >= 4:
		size, rest = uint64(binary.BigEndian.Uint32(p)), p[4:]
	case head == length64 && len(p) >= 8:
		size, rest = binary.BigEndian.Uint64(p), p[8:]
	default:
		return "", errFormat
	}
	if size != uint64(len(rest)) {
		return "", errFormat
	}
	return string(rest), ""
}

// dumpValue makes a payload of what miniredis hands out as it is.
func dumpValue(s *store, out *replies, r request) bool {
	if s.ask("TYPE", r.args[1]).Str != "string" {
		return false
	}
	out.bulk(string(dumpString(s.ask("GET", r.args[1]).Str)))
	return true
}

// restoration is what the options of RESTORE say.
type restoration struct{ replace, absolute bool }

func parseRestore(options []string) (o restoration, refusal string) {
	idle, frequency := false, false
	for i := 0; i < len(options); i++ {
		more := i+1 < len(options)
		switch option := strings.ToUpper(options[i]); {
		case option == "REPLACE":
			o.replace = true
		case option == "ABSTTL":
			o.absolute = true
		case option == "IDLETIME" && more && !frequency, option == "FREQ" && more && !idle:
			idle, frequency = option == "IDLETIME", option == "FREQ"
			i++
			switch n, err := strconv.ParseInt(options[i], 10, 64); {
			case err != nil:
				return o, errNoInteger
			case idle && n < 0:
				return o, "ERR Invalid IDLETIME value, must be >= 0"
			case frequency && (n < 0 || n > 255):
				return o, "ERR Invalid FREQ value, must be >= 0 and <= 255"
			}
		default:
			return o, errSyntax
		}
	}
	return o, ""
}

// restoreValue answers RESTORE. A value whose time has passed is not made, but may replace another.
func restoreValue(s *store, out *replies, r request) bool {
	key := r.args[1]
	o, refusal := parseRestore(r.args[4:])
	if refusal == "" && !o.replace && s.ask("EXISTS", key).Int == 1 {
		refusal = "BUSYKEY Target key name already exists."
	}
	ms, err := strconv.ParseInt(r.args[2], 10, 64)
	switch {
	case refusal != "":
	case err != nil:
		refusal = errNoInteger
	case ms < 0:
		refusal = "ERR Invalid TTL value, must be >= 0"
	}
	value := ""
	if refusal == "" {
		value, refusal = restoreString(r.args[3])
	}
	if refusal != "" {
		out.error(refusal)
		return true
	}
	expires := ms > 0
	if o.absolute {
		ms -= s.clock.current().UnixMilli()
	}
	s.ask("DEL", key)
	if !expires || ms > 0 {
		s.ask("SET", key, value)
	}
	if expires {
		s.ask("PEXPIRE", key, strconv.FormatInt(min(ms, math.MaxInt64/int64(time.Millisecond)), 10))
	}
	out.ok()
	return true
}
