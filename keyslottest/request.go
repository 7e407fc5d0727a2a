package keyslottest

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	maxLine  = 64 << 10 // what the server allows an inline request or a length line
	maxFrame = 64 << 20 // the server allows 512 MiB per argument; a test that sends more than this is a mistake
	// Before authentication the server takes only what HELLO and AUTH need.
	maxArgsUnauthed = 10
	maxBulkUnauthed = 16 << 10
	// noBulk says that the length line of the next argument has not been read.
	noBulk = -1
)

// protocolError is what the server says about a request it cannot parse, before it closes the connection.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// requestParser cuts one request after the other out of a growing buffer. It keeps its place inside a request, so that
// a big one arriving byte by byte is not parsed anew with every byte.
type requestParser struct {
	pos  int // how much of the buffer is understood
	left int // arguments of the current request still to come
	bulk int // length of the argument being read, noBulk before its length line
	ends []span
}

type span struct{ from, to int }

// next returns the arguments of the request at the start of buf and the bytes it took. Taken bytes without arguments
// are an empty request, which the server ignores; no taken bytes mean that the request is not complete.
func (p *requestParser) next(buf []byte, authed bool) (args []string, taken int, err error) {
	if p.left == 0 {
		if len(buf) == 0 {
			return nil, 0, nil
		}
		if buf[0] != '*' {
			return p.inline(buf)
		}
		count, done, err := p.countLine(buf, authed)
		if err != nil || !done {
			return nil, 0, err
		}
		if count <= 0 {
			return nil, p.reset(), nil
		}
		p.left, p.bulk = count, noBulk
	}
	for p.left > 0 {
		done, err := p.argument(buf, authed)
		if err != nil || !done {
			return nil, 0, err
		}
	}
	// One string for the whole request: the arguments share it, as they live and die together.
	whole := string(buf[:p.pos])
	args = make([]string, len(p.ends))
	for i, s := range p.ends {
		args[i] = whole[s.from:s.to]
	}
	return args, p.reset(), nil
}

func (p *requestParser) reset() (taken int) {
	taken = p.pos
	p.pos, p.left, p.bulk, p.ends = 0, 0, noBulk, p.ends[:0]
	return taken
}

func (p *requestParser) countLine(buf []byte, authed bool) (count int, done bool, err error) {
	line, next, found := cutLine(buf, 0)
	if !found {
		if len(buf) > maxLine {
			return 0, false, protocolError("too big mbulk count string")
		}
		return 0, false, nil
	}
	count, ok := parseLength(line[1:])
	if !ok || count > maxFrame {
		return 0, false, protocolError("invalid multibulk length")
	}
	if count > maxArgsUnauthed && !authed {
		return 0, false, protocolError("unauthenticated multibulk length")
	}
	p.pos = next
	return count, true, nil
}

func (p *requestParser) argument(buf []byte, authed bool) (done bool, err error) {
	if p.bulk == noBulk {
		line, next, found := cutLine(buf, p.pos)
		if !found {
			if len(buf)-p.pos > maxLine {
				return false, protocolError("too big bulk count string")
			}
			return false, nil
		}
		if len(line) == 0 || line[0] != '$' {
			got := byte('\r')
			if len(line) > 0 {
				got = line[0]
			}
			return false, protocolError("expected '$', got '" + string(got) + "'")
		}
		length, ok := parseLength(line[1:])
		if !ok || length < 0 || length > maxFrame || p.pos+length > maxFrame {
			return false, protocolError("invalid bulk length")
		}
		if length > maxBulkUnauthed && !authed {
			return false, protocolError("unauthenticated bulk length")
		}
		p.pos, p.bulk = next, length
	}
	end := p.pos + p.bulk
	if len(buf) < end+2 { // the server skips the two bytes behind an argument without looking at them
		return false, nil
	}
	p.ends = append(p.ends, span{p.pos, end})
	p.pos, p.bulk = end+2, noBulk
	p.left--
	return true, nil
}

// inline parses the telnet form: words on one line, quoted where they need to be.
func (p *requestParser) inline(buf []byte) (args []string, taken int, err error) {
	end := bytes.IndexByte(buf, '\n')
	if end < 0 {
		if len(buf) > maxLine {
			return nil, 0, protocolError("too big inline request")
		}
		return nil, 0, nil
	}
	args, ok := splitWords(strings.TrimSuffix(string(buf[:end]), "\r"))
	if !ok {
		return nil, 0, protocolError("unbalanced quotes in request")
	}
	return args, end + 1, nil
}

// cutLine returns the line at from, without its ending, and where the next one starts.
func cutLine(buf []byte, from int) (line []byte, next int, found bool) {
	i := bytes.IndexByte(buf[from:], '\r')
	// Like the server, only the \r is looked for; the byte behind it has to be there and is skipped.
	if i < 0 || from+i+1 >= len(buf) {
		return nil, 0, false
	}
	return buf[from : from+i], from + i + 2, true
}

func parseLength(digits []byte) (n int, ok bool) {
	if len(digits) == 0 || len(digits) > 20 || digits[0] == '+' {
		return 0, false
	}
	n, err := strconv.Atoi(string(digits))
	return n, err == nil
}

// splitWords splits an inline request. Double quotes know the escapes \n \r \t \b \a \xHH, single quotes only \'.
func splitWords(line string) (words []string, ok bool) {
	for {
		line = strings.TrimLeft(line, " \t\n\v\f\r\x00")
		if line == "" {
			return words, true
		}
		word, rest, ok := cutWord(line)
		if !ok {
			return nil, false
		}
		words, line = append(words, word), rest
	}
}

func cutWord(line string) (word, rest string, ok bool) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		ch := line[i]
		switch {
		case quote == 0 && strings.IndexByte(" \n\r\t\x00", ch) >= 0:
			return b.String(), line[i:], true
		case quote == 0 && (ch == '"' || ch == '\''):
			quote = ch
		case quote != 0 && ch == quote:
			if i+1 < len(line) && strings.IndexByte(" \n\r\t\v\f", line[i+1]) < 0 {
				return "", "", false // a closing quote ends its word
			}
			return b.String(), line[i+1:], true
		case quote == '"' && ch == '\\' && i+1 < len(line):
			i += unescape(&b, line[i+1:])
		case quote == '\'' && ch == '\\' && i+1 < len(line) && line[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			b.WriteByte(ch)
		}
	}
	return b.String(), "", quote == 0
}

// unescape writes what the escape (without its backslash) stands for and says how many bytes it took.
func unescape(b *strings.Builder, s string) int {
	if s[0] == 'x' && len(s) >= 3 {
		if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			b.WriteByte(byte(v))
			return 3
		}
	}
	if i := strings.IndexByte("nrtba", s[0]); i >= 0 {
		b.WriteByte("\n\r\t\b\a"[i])
	} else {
		b.WriteByte(s[0])
	}
	return 1
}
