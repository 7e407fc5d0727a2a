package main

import (
	"fmt"
	"os"
	"testing"
)

// TestMain lets the test binary be its own child, as the program is: a run starts its children and helpers from os.Executable.
func TestMain(m *testing.M) {
	if len(os.Args) != 2 || !isChild(os.Args[1]) {
		os.Exit(m.Run())
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
