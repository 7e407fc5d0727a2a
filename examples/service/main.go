// Service is an HTTP server with one keyslot client for all requests: GET /count/NAME counts a visit and answers with the
// number of them.
//
//	KEYSLOT_ENDPOINT=host:port go run ./examples/service
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/keyslot-go/keyslot"
)

func main() {
	endpoint := os.Getenv("KEYSLOT_ENDPOINT")
	if endpoint == "" {
		log.Fatal("set KEYSLOT_ENDPOINT to the host:port of a cluster")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(ctx, endpoint, listener); err != nil {
		log.Fatal(err)
	}
}

// serve answers requests until ctx is done, and then lets those under way end: first the requests, then their commands.
func serve(ctx context.Context, endpoint string, listener net.Listener) error {
	client, err := keyslot.Open(ctx, endpoint)
	if err != nil {
		return err
	}
	defer client.Close()

	server := &http.Server{Handler: handler(client), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }() // ends with Shutdown
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(grace), client.Shutdown(grace))
}

func handler(client *keyslot.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /count/{name}", func(w http.ResponseWriter, r *http.Request) {
		// The request's context: a visitor who hangs up gives up the command, and no one else notices.
		visits, err := client.Incr(r.Context(), "visits:"+r.PathValue("name"))
		switch {
		case err == nil:
			fmt.Fprintln(w, visits)
		case errors.Is(err, keyslot.ErrNotExecuted):
			w.Header().Set("Retry-After", "1")
			http.Error(w, "not counted, try again", http.StatusServiceUnavailable)
		default:
			log.Print(err) // it names the command and the node
			http.Error(w, "perhaps counted", http.StatusInternalServerError)
		}
	})
	return mux
}
