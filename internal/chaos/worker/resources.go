package worker

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// holds counts goroutines and descriptors. Where there is no /proc the latter are 0.
func holds() (ledger.Resources, error) {
	descriptors, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return ledger.Resources{Goroutines: runtime.NumGoroutine(), Descriptors: len(descriptors)}, err
}

// resident returns the memory of the process in bytes, after a collection, as the second field of /proc/self/statm
// tells it; 0 where there is none.
func resident() int64 {
	runtime.GC()
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(statm)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
