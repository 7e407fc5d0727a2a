package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/keyslot-go/keyslot"
)

// endpoint answers a request with a status and what is to be written as JSON, or with an error, of which answer makes both.
type endpoint func(r *http.Request) (status int, body any, err error)

// problem is an error whose cause is the request.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

func invalid(text string) error { return &problem{http.StatusBadRequest, text} }

// maxBody is the largest body of a request, in bytes. What is in it may end up in the store's memory.
const maxBody = 4 << 10

// answer makes an http.Handler of an endpoint: bounded in time and size, with one status for each kind of error, and
// one line in the log.
func (s *service) answer(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		// The request's own context, so that whoever hangs up gives up; and a deadline, which covers all attempts
		// of all commands.
		ctx, cancel := context.WithTimeout(r.Context(), s.settings.deadline)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)

		status, body, err := e(r)
		if err != nil {
			failed := failureOf(r.Method, err)
			status, body = failed.status, map[string]string{"error": failed.text}
			switch status {
			case http.StatusServiceUnavailable:
				w.Header().Set("Retry-After", "1")
			case http.StatusUnauthorized:
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
		}
		write(w, status, body)
		s.log(r, status, time.Since(begun), err)
	})
}

// failureOf says what an error means to whoever sent the request. The three outcomes of a command become answers of
// their own: it ran and there is nothing (404), it may have run (502), it did not run (503, or 500 where another try
// would end in the same way). That a command of unknown outcome is ErrRetryable is of no use here: a request without an
// Idempotency-Key is another operation each time.
func failureOf(method string, err error) *problem {
	var ofRequest *problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &ofRequest):
		return ofRequest
	case errors.As(err, &tooLarge):
		return &problem{http.StatusRequestEntityTooLarge, "the body is too large"}
	case errors.Is(err, keyslot.Nil):
		return &problem{http.StatusNotFound, "there is no such thing"}
	case errors.Is(err, keyslot.ErrNotExecuted) && errors.Is(err, keyslot.ErrRetryable):
		return &problem{http.StatusServiceUnavailable, "nothing was changed: it is safe to repeat the request"}
	case errors.Is(err, keyslot.ErrNotExecuted):
		return &problem{http.StatusInternalServerError, "nothing was changed, and to repeat the request would not help"}
	case errors.Is(err, keyslot.ErrUnknownOutcome) && method == http.MethodGet:
		return &problem{http.StatusServiceUnavailable, "the outcome is not known: it is safe to repeat the request"}
	case errors.Is(err, keyslot.ErrUnknownOutcome):
		return &problem{http.StatusBadGateway, "the outcome is not known: it may have happened"}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusGatewayTimeout, "it takes too long"}
	}
	return &problem{http.StatusInternalServerError, "a fault of this service"}
}

// log writes a line for each request. It names the route and not the path, which holds names; an error of keyslot names
// the command, its slot and node, and never a key or a value.
func (s *service) log(r *http.Request, status int, took time.Duration, err error) {
	attrs := []slog.Attr{slog.String("route", r.Pattern), slog.Int("status", status), slog.Duration("took", took)}
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError && err != nil {
		attrs = append(attrs, slog.Any("err", err))
		if !errors.Is(err, context.Canceled) { // its client has gone
			level = slog.LevelError
		}
	}
	s.logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// write has no use for an error of writing: the client has gone.
func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Cache-Control", "no-store")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// read decodes the body of a request, which has to be one JSON value with no unknown fields.
func read(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.Join(more, errors.New("more than one value"))
		}
	}
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return invalid("the body is not the JSON that is expected here")
	}
	return err
}
