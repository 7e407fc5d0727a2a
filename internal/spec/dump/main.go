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
	"strings"
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
	file, err := ask(newClient(conn))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := file.Write(&text); err != nil {
		return err
	}
	return os.WriteFile(out, text.Bytes(), 0o644)
}

// serverVersion reads engine and version from the reply to INFO server. Valkey calls itself Redis 7.2 there as well, for
// old clients, so its own field decides.
func serverVersion(info string) (server, version string) {
	field := make(map[string]string)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		field[name] = value
	}
	if v := field["valkey_version"]; v != "" {
		return "valkey", v
	}
	return "redis", field["redis_version"]
}
