package proxy_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when a goroutine of a Front is left behind.
func TestMain(m *testing.M) {
	code := m.Run()
	var left string
	for begin := time.Now(); time.Since(begin) < 5*time.Second; runtime.Gosched() {
		if left = leaked(); left == "" {
			break
		}
	}
	if code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, left)
		code = 1
	}
	os.Exit(code)
}

func leaked() (left string) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "chaos/proxy") && !strings.Contains(stack, "TestMain") {
			left += "leaked goroutine:\n" + stack + "\n\n"
		}
	}
	return left
}
