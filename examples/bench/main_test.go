package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// asProgram in the environment makes the test's program the benchmark itself.
const asProgram = "KEYSLOT_BENCH_TEST_AS_PROGRAM"

// TestMain lets the test's program be the process of a run, and the benchmark. It fails when goroutines are left behind.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) == 2 && os.Args[1] == childArg {
		main()
	}
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
		buf := make([]byte, 1<<20)
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
