// Service is an HTTP service of the usual kind, with one keyslot client for all its requests: sessions, a cache in
// front of a slow database, and leaderboards. README.md shows what to ask it.
//
//	go run ./examples/service                                      # needs only Go: starts a cluster of its own
//	KEYSLOT_ENDPOINT=host:port go run ./examples/service           # on yours
//	go run ./examples/service -listen 127.0.0.1:9000               # or SERVICE_LISTEN
//
// KEYSLOT_ENDPOINT may be a URL, such as rediss://user:password@host:6379. SIGINT and SIGTERM let the requests under way end.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/keyslot-go/keyslot"
)

func main() {
	listen := flag.String("listen", cmp.Or(os.Getenv("SERVICE_LISTEN"), "127.0.0.1:8080"), "`host:port` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, *listen, os.Getenv("KEYSLOT_ENDPOINT"), os.Stdout, logger); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// refreshAfter is the age at which the slot map is fetched anew, so that /readyz soon knows of what no request has met.
const refreshAfter = 10 * time.Second

// run serves until ctx is done. An empty target is a cluster in this process.
func run(ctx context.Context, listen, target string, stdout io.Writer, logger *slog.Logger) error {
	var local *demo
	if target == "" {
		var err error
		if local, err = startDemo(); err != nil {
			return err
		}
		defer local.cluster.Close()
		target = local.cluster.Endpoint()
	}
	opts, err := keyslot.ParseTarget(target)
	if err != nil {
		return err
	}
	opts.ClientName = cmp.Or(opts.ClientName, "service")
	opts.RefreshAfter = cmp.Or(opts.RefreshAfter, refreshAfter)
	opts.Logger = logger
	client, err := keyslot.New(ctx, opts)
	if err != nil {
		return err // it says what to do: wrong password, no TLS, no such name ...
	}
	defer client.Close()

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	s := newService(client, newDatabase(200*time.Millisecond), defaults(), logger)
	mux := s.routes()
	if local != nil {
		local.addTo(mux, s)
		fmt.Fprintln(stdout, "KEYSLOT_ENDPOINT is not set: the cluster is in this process, and its data in memory only.")
	}
	fmt.Fprintf(stdout, tour, listener.Addr())
	return s.serve(ctx, listener, mux)
}

const tour = `Try:
  curl %[1]s/readyz
  curl %[1]s/products/1
  curl -X POST %[1]s/session -d '{"user":"ann"}'
  curl -X POST %[1]s/boards/eu/scores -d '{"player":"ann","points":10}'
  curl %[1]s/boards/eu
`
