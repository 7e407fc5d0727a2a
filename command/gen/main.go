// Command gen writes the typed commands of package command from the tables in this directory, one for each group:
//
//	// HGet returns the value of field in the hash at key, or Nil when there is none.
//	HGet(key key, field string) text
//		HGET key field; O(1)
//		as HGetBytes ownBytes // HGetBytes is HGet for a value that the caller wants as bytes of its own.
//
// The first line of an entry is the method: its parameters, and the decoder of its reply, a function of package command
// whose result is the method's. The second line is what is sent: parameters by name, the count of a variadic one as
// #name, everything else as it is; behind the semicolon stands the complexity. "by hand HGET; O(1)" leaves the encoder
// to a method of Call. An "as" line is another method with the same parameters and another decoder.
//
//	key                  string, marked as a key
//	string bytes         string, []byte
//	int float            int64, float64
//	bit                  bool, sent as 1 or 0
//	seconds              time.Duration; a whole number of them, or the call fails before anything is sent
//	millis               time.Duration; a part of a millisecond is rounded up
//	ttlSeconds ttlMillis the same, which must also be positive
//	wait waitMillis      time.Duration, how long a command may block; zero is for ever. What has a wait cannot be queued
//	slot                 uint16
//	yesNo                bool, sent as yes or no
//	unix unixMillis      time.Time
//	...T []T             any number of T, the last parameter or another one
//	T of package command by its method encode(*Call); ...TOption by its options
//
// An option is a line as well, and what it may be given to:
//
//	// PX gives a key a time to live in milliseconds.
//	option PX(ttl millis) = PX ttl for SetOption GetExOption
//	// KeepTTL leaves the time to live as it is.
//	option KeepTTL = KEEPTTL for SetOption
//	// option by hand: the type Expiry has its own method encode(*Call).
//	option by hand Expiry for SetOption GetExOption
//
//	// SetOption is an optional argument of Set.
//	options SetOption
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "directory of package command")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	files, err := Generate(dir)
	if err != nil {
		return err
	}
	for name, source := range files {
		if err := os.WriteFile(filepath.Join(dir, name), source, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Generate returns the generated files of the package in dir, by name.
func Generate(dir string) (map[string][]byte, error) {
	decoders, err := findDecoders(dir)
	if err != nil {
		return nil, err
	}
	tables, err := filepath.Glob(filepath.Join(dir, "gen", "*.txt"))
	if err != nil {
		return nil, err
	}
	all := &tableSet{decoders: decoders, options: map[string][]string{}}
	for _, path := range tables {
		if err := all.parse(path); err != nil {
			return nil, err
		}
	}
	files := make(map[string][]byte, len(tables))
	for _, t := range all.tables {
		source, err := all.print(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		files[t.name+"_gen.go"] = source
	}
	calls, err := all.calls()
	files["../internal/differential/calls_gen.go"] = calls
	return files, err
}
