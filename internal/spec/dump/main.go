// Command dump asks a running server for COMMAND and COMMAND DOCS and writes what it says in the form of package rows.
//
//	go run ./internal/spec/dump -addr 127.0.0.1:6379 -o internal/spec/redis-7.0.15.json
package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:6379", "address of the server")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if err := run(*addr, *out); err != nil {
		fmt.Fprintln(os.Stderr, "dump:", err)
		os.Exit(1)
	}
}

func run(addr, out string) error {
	if out == "" {
		return fmt.Errorf("-o is missing: name the file to write")
	}
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	file, err := ask(&client{conn: conn})
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := file.Write(&text); err != nil {
		return err
	}
	return os.WriteFile(out, text.Bytes(), 0o644)
}
