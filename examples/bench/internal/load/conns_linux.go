package load

import (
	"os"
	"path/filepath"
	"strings"
)

// countConns returns how many sockets this process has, or -1. In the process of a run all of them are the client's:
// what it is told and tells goes through pipes.
func countConns() int {
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return -1
	}
	n := 0
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}
