package servers

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

// The fake nodes hear clients that measure themselves, so what is longer than this is a mistake.
const (
	maxArgs = 1 << 12
	maxArg  = 1 << 20
)

var errProtocol = errors.New("not a RESP command")

// readCommand reads one command into args: *n ( $length bytes )
func readCommand(in *bufio.Reader, args [][]byte) ([][]byte, error) {
	n, err := readNumber(in, '*', maxArgs)
	if err != nil {
		return nil, err
	}
	for range n {
		size, err := readNumber(in, '$', maxArg)
		if err != nil {
			return nil, err
		}
		arg := make([]byte, size+2)
		if _, err := io.ReadFull(in, arg); err != nil {
			return nil, err
		}
		args = append(args, arg[:size])
	}
	return args, nil
}

// readNumber reads a line of a mark and a number.
func readNumber(in *bufio.Reader, mark byte, limit int) (int, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != mark {
		return 0, errProtocol
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	if err != nil || n < 0 || n > limit {
		return 0, errProtocol
	}
	return n, nil
}
