package resp_test

import (
	"bytes"
	"errors"
	"math"
	"regexp"
	"strconv"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// The naive decoder is the grammar written down once more, in the slowest and plainest way: regular expressions for
// lines, recursion for aggregates, a whole buffer at hand. What the package says is checked against it.

var (
	errCut = errors.New("more bytes are needed")
	errBad = errors.New("not RESP, or over a limit")

	naiveText = map[byte]*regexp.Regexp{
		'+': regexp.MustCompile(`^[^\r\n]*$`),
		'-': regexp.MustCompile(`^[^\r\n]*$`),
		'(': regexp.MustCompile(`^[^\r\n]*$`),
		':': regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`),
		'#': regexp.MustCompile(`^[tf]$`),
		',': regexp.MustCompile(`^([-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|-?inf|-?nan)$`),
		'_': regexp.MustCompile(`^$`),
		'.': regexp.MustCompile(`^$`),
		'$': regexp.MustCompile(`^(0|[1-9][0-9]*|-1|\?)$`),
		'*': regexp.MustCompile(`^(0|[1-9][0-9]*|-1|\?)$`),
		'%': regexp.MustCompile(`^(0|[1-9][0-9]*|\?)$`),
		'~': regexp.MustCompile(`^(0|[1-9][0-9]*|\?)$`),
		'>': regexp.MustCompile(`^(0|[1-9][0-9]*|\?)$`),
		'|': regexp.MustCompile(`^(0|[1-9][0-9]*)$`),
		'!': regexp.MustCompile(`^(0|[1-9][0-9]*)$`),
		'=': regexp.MustCompile(`^(0|[1-9][0-9]*)$`),
		';': regexp.MustCompile(`^(0|[1-9][0-9]*)$`),
	}
)

type naive struct {
	in  []byte
	lim resp.Limits // every field set
}

// naiveDecode returns the value at the start of in and the length of its frame.
func naiveDecode(in []byte, lim resp.Limits) (resp.Value, int, error) {
	d := naive{in: in, lim: lim}
	v, err := d.value(0)
	n := len(in) - len(d.in)
	if err == nil && n > lim.Frame {
		err = errBad
	}
	return v, n, err
}

// line takes a line off the input.
func (d *naive) line() (kind byte, text string, err error) {
	line, rest, found := bytes.Cut(d.in, []byte("\r\n"))
	if !found {
		return 0, "", errCut
	}
	if len(line) == 0 || naiveText[line[0]] == nil || !naiveText[line[0]].Match(line[1:]) {
		return 0, "", errBad
	}
	d.in = rest
	return line[0], string(line[1:]), nil
}

// take takes n bytes and a CRLF off the input.
func (d *naive) take(n int) (string, error) {
	if n+2 > len(d.in) {
		return "", errCut
	}
	s, end := string(d.in[:n]), string(d.in[n:n+2])
	if end != "\r\n" {
		return "", errBad
	}
	d.in = d.in[n+2:]
	return s, nil
}

func (d *naive) value(depth int) (resp.Value, error) {
	kind, text, err := d.line()
	if err != nil {
		return resp.Value{}, err
	}
	v := resp.Value{Kind: resp.Kind(kind)}
	if text == "-1" && (kind == '$' || kind == '*') {
		return resp.Value{Kind: resp.Null}, nil
	}
	switch kind {
	case '.', ';':
		return v, errBad
	case '$', '!', '=':
		v.Str, err = d.blob(kind, text)
		return v, err
	case '*', '~', '>', '%', '|':
		if v.Elems, err = d.elements(kind, text, depth); err == nil && kind == '|' {
			return d.value(depth)
		}
		return v, err
	}
	if len(text) > d.lim.Line {
		return v, errBad
	}
	switch kind {
	case ':':
		if v.Int, err = strconv.ParseInt(text, 10, 64); err != nil {
			return v, errBad
		}
	case '#':
		v.Int = map[string]int64{"t": 1, "f": 0}[text]
	case ',':
		if v.Float = math.NaN(); text != "-nan" {
			v.Float, _ = strconv.ParseFloat(text, 64)
		}
	case '+', '-', '(':
		v.Str = text
	}
	return v, nil
}

// count is the number in a header.
func (d *naive) count(text string, limit int) (int, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > int64(limit) {
		return 0, errBad
	}
	return int(n), nil
}

func (d *naive) blob(kind byte, text string) (string, error) {
	if text == "?" {
		return d.chunks()
	}
	n, err := d.count(text, d.lim.Bulk)
	if err != nil {
		return "", err
	}
	s, err := d.take(n)
	if err != nil || kind != '=' {
		return s, err
	}
	if len(s) < 4 || s[3] != ':' {
		return "", errBad
	}
	return s[4:], nil
}

func (d *naive) chunks() (string, error) {
	var s string
	for {
		kind, text, err := d.line()
		if err != nil {
			return "", err
		}
		n, err := d.count(text, d.lim.Bulk-len(s))
		if kind != ';' || err != nil {
			return "", errBad
		}
		if n == 0 {
			return s, nil
		}
		part, err := d.take(n)
		if err != nil {
			return "", err
		}
		s += part
	}
}

func (d *naive) elements(kind byte, text string, depth int) ([]resp.Value, error) {
	if depth == d.lim.Depth {
		return nil, errBad
	}
	perPair := 1
	if kind == '%' || kind == '|' {
		perPair = 2
	}
	limit := d.lim.Elements
	if text != "?" {
		n, err := d.count(text, limit)
		if err != nil {
			return nil, err
		}
		limit = n
	}
	var elems []resp.Value
	for text == "?" || len(elems) < limit*perPair {
		if text == "?" && bytes.HasPrefix(d.in, []byte(".\r\n")) && len(elems)%perPair == 0 {
			d.in = d.in[3:]
			break
		}
		elem, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if elems = append(elems, elem); len(elems) > limit*perPair {
			return nil, errBad
		}
	}
	return elems, nil
}
