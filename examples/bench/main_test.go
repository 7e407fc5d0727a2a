package main

import (
	"os"
	"testing"

	"github.com/keyslot-go/keyslot/internal/leak"
)

// asProgram in the environment makes the test's program the benchmark itself.
const asProgram = "KEYSLOT_BENCH_TEST_AS_PROGRAM"

// TestMain lets the test's program be the process of a run, and the benchmark. It fails when goroutines are left behind.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) == 2 && os.Args[1] == childArg {
		main()
	}
	os.Exit(leak.Check(m.Run()))
}
