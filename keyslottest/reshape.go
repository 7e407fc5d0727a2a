package keyslottest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// reshape turns what miniredis answers into what a server does, where they differ in form: in RESP3 nulls, sets, and
// the pairs of members and scores.
func reshape(reply []byte, args []string, resp3 bool) []byte {
	if from, bad := bytes.CutPrefix(reply, []byte("-ERR invalid expire time in ")); bad {
		return fmt.Appendf(nil, "-ERR invalid expire time in '%s' command\r\n", bytes.TrimSpace(from))
	}
	if !resp3 {
		return reply
	}
	if string(reply) == "*-1\r\n" {
		return []byte("_\r\n")
	}
	switch name := strings.ToUpper(args[0]); name {
	case "SMEMBERS", "SINTER", "SUNION", "SDIFF", "SPOP":
		if reply[0] == '*' {
			reply[0] = '~'
		}
	case "ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZUNION", "ZINTER", "ZDIFF", "ZRANDMEMBER":
		if hasWord(args[1:], "WITHSCORES") {
			return pairUp(reply)
		}
	case "HRANDFIELD":
		if hasWord(args[1:], "WITHVALUES") {
			return pairUp(reply)
		}
	case "ZPOPMIN", "ZPOPMAX":
		if len(args) > 2 {
			return pairUp(reply)
		}
	}
	return reply
}

func hasWord(words []string, word string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}

// elements splits an array, or a map, into the frames of its elements; ok is false for any other reply.
func elements(reply []byte) (frames [][]byte, ok bool) {
	head, rest, found := bytes.Cut(reply, []byte("\r\n"))
	if !found || head[0] != '*' && head[0] != '%' {
		return nil, false
	}
	n, err := strconv.Atoi(string(head[1:]))
	if err != nil {
		return nil, false
	}
	if head[0] == '%' {
		n *= 2
	}
	var scanner resp.Scanner
	for range n {
		size, err := scanner.Scan(rest)
		if err != nil || size == 0 {
			return nil, false
		}
		frames = append(frames, rest[:size])
		rest = rest[size:]
	}
	return frames, len(rest) == 0
}

// pairUp makes an array of pairs of a flat one, or of a map.
func pairUp(reply []byte) []byte {
	flat, ok := elements(reply)
	if !ok || len(flat)%2 != 0 || len(flat) > 0 && flat[0][0] == '*' {
		return reply
	}
	paired := resp.AppendArray(nil, len(flat)/2)
	for i := 0; i < len(flat); i += 2 {
		paired = resp.AppendArray(paired, 2)
		paired = append(append(paired, flat[i]...), flat[i+1]...)
	}
	return paired
}
