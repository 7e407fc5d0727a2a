package wire_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when goroutines or descriptors are left behind once all tests have ended.
func TestMain(m *testing.M) {
	files := openFiles()
	code := m.Run()
	if left := leaked(files); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, left)
		code = 1
	}
	os.Exit(code)
}

// leaked waits a while for what is about to end, and describes what does not.
func leaked(files int) string {
	var what string
	for begin := time.Now(); time.Since(begin) < 5*time.Second; runtime.Gosched() {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		what = ""
		for _, stack := range strings.Split(string(stacks), "\n\n") {
			if strings.Contains(stack, "keyslot/internal/wire") && !strings.Contains(stack, "TestMain") {
				what += "leaked goroutine:\n" + stack + "\n\n"
			}
		}
		if now := openFiles(); now > files {
			what += fmt.Sprintf("leaked descriptors: %d before, %d after\n", files, now)
		}
		if what == "" {
			break
		}
	}
	return what
}

// openFiles counts the sockets of this process; 0 where the system does not tell. The runtime keeps other
// descriptors of its own.
func openFiles() (sockets int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			sockets++
		}
	}
	return sockets
}
