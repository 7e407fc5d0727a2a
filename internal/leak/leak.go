// Package leak finds goroutines that tests have left behind, for TestMain.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Check returns the exit code of a test run that ended with code: 1 instead of 0 when goroutines of this project are
// left behind, whose stacks it prints. It waits up to 5 s for those that are about to end. Only TestMain may call it.
func Check(code int) int {
	if left := goroutines(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "leaked goroutines:\n"+left)
		return 1
	}
	return code
}

// goroutines waits a while for goroutines that are about to end, and returns the stacks of those that do not.
func goroutines() (stacks string) {
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
