package worker_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when goroutines of the load or of the client are left behind.
func TestMain(m *testing.M) {
	code := m.Run()
	left := stacks()
	for begin := time.Now(); left != "" && time.Since(begin) < 5*time.Second; left = stacks() {
		runtime.Gosched()
	}
	if code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "leaked goroutines:\n"+left)
		code = 1
	}
	os.Exit(code)
}

func stacks() (ours string) {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "keyslot-go/keyslot") && !strings.Contains(stack, "TestMain") {
			ours += stack + "\n\n"
		}
	}
	return ours
}
