package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when goroutines are left behind once all tests have ended.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "leaked goroutines:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leaked waits a while for goroutines that are about to end, and returns the stacks of those that do not.
func leaked() (stacks string) {
	for begin := time.Now(); time.Since(begin) < 5*time.Second; runtime.Gosched() {
		buf := make([]byte, 4<<20)
		stacks = ""
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, "keyslot-go/keyslot") && !strings.Contains(stack, "TestMain") {
				stacks += stack + "\n\n"
			}
		}
		if stacks == "" {
			break
		}
	}
	return stacks
}
