package fakenode_test

import (
	"os"
	"testing"

	"github.com/keyslot-go/keyslot/internal/leak"
)

// TestMain fails the run when goroutines are left behind once all tests have ended.
func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }
