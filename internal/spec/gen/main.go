// Command gen makes table_gen.go of package spec from the dumps of two servers and the overlay. It needs no server.
//
//	go generate ./internal/spec
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	text, err := generate(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(dir+"/"+output, text, 0o644)
}
