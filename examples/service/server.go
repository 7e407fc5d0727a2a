package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/keyslot-go/keyslot"
)

// service is the HTTP server with one keyslot client for all requests.
type service struct {
	client   *keyslot.Client
	settings settings
	logger   *slog.Logger

	sessions *sessions
	products *products
	boards   *boards
}

type settings struct {
	deadline time.Duration // for a request; a planned failover takes less
	drain    time.Duration // for what is under way at the end; more than it takes to read a request, and deadline
	session  time.Duration // idle sessions live so long
	cache    cacheTimes
	probe    time.Duration // for the command of /readyz
	mapAge   time.Duration // a service whose slot map is older is not ready
}

func defaults() settings {
	return settings{
		deadline: 3 * time.Second,
		drain:    10 * time.Second,
		session:  30 * time.Minute,
		cache: cacheTimes{
			fresh: time.Minute, stale: 30 * time.Second,
			load: 3 * time.Second, lease: 5 * time.Second, patience: 500 * time.Millisecond,
		},
		probe:  500 * time.Millisecond,
		mapAge: 6 * refreshAfter,
	}
}

func newService(client *keyslot.Client, db *database, settings settings, logger *slog.Logger) *service {
	return &service{
		client: client, settings: settings, logger: logger,
		sessions: newSessions(client, settings.session),
		products: newProducts(client, db, settings.cache, logger),
		boards:   newBoards(client),
	}
}

// serve answers requests until ctx is done, and then closes the service and its client: it refuses new requests, lets
// those under way end, then what they have left behind, and then the client's commands.
func (s *service) serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:        handler,
		ReadTimeout:    5 * time.Second, // of a request, body included
		WriteTimeout:   10*time.Second + s.settings.deadline,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }() // ends when Shutdown begins, if not before
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		s.logger.Info("shutting down")
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.drain)
	defer cancel()
	err = errors.Join(err, server.Shutdown(grace)) // they end in time, for each has a deadline
	s.products.Close()
	return errors.Join(err, s.client.Shutdown(grace))
}
