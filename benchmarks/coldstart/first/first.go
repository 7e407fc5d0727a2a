// Package first is what the programs of package coldstart share: each connects with one client, sends one command, and
// tells how that went. It imports no client, so that each program is as large as its own makes it.
package first

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// Order is what a program reads from its standard input.
type Order struct {
	Addr string // the endpoint, host:port
	Key  string // to GET; it is there
	CA   string // PEM of the authority; empty: plain TCP
}

// Result is what it prints.
type Result struct {
	FirstReply time.Duration // from before the client is made until the reply is there
	Handshakes int           // of TLS
	Goroutines int           // a second later, without the one that waits
}

// Get reads a key once, by a client that it makes. The client stays.
type Get func(endpoint string, conf *tls.Config, key string) (string, error)

// settled is when a client has done all that it does because it was made.
const settled = time.Second

// Run is the main function of a program.
func Run(get Get) {
	result, err := run(get)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(get Get) (Result, error) {
	var order Order
	if err := json.NewDecoder(os.Stdin).Decode(&order); err != nil {
		return Result{}, err
	}
	var handshakes atomic.Int64
	var conf *tls.Config
	if order.CA != "" {
		conf = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		if !conf.RootCAs.AppendCertsFromPEM([]byte(order.CA)) {
			return Result{}, errors.New("the cluster's certificate cannot be read")
		}
		conf.VerifyConnection = func(tls.ConnectionState) error { handshakes.Add(1); return nil } // called once for each
	}
	begin := time.Now()
	value, err := get(order.Addr, conf, order.Key)
	took := time.Since(begin)
	if err == nil && value == "" {
		err = errors.New("the value is missing")
	}
	if err != nil {
		return Result{}, err
	}
	time.Sleep(settled) // nobody signals that a client has come to rest
	return Result{FirstReply: took, Handshakes: int(handshakes.Load()), Goroutines: runtime.NumGoroutine() - 1}, nil
}
