package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lambdaService stands in for the service side of an execution environment: the Runtime API and what the Extensions API
// needs of it, as the AWS Lambda Developer Guide describes them ("Runtime API", "Extensions API"). It listens on loopback.
//
//	GET  /2018-06-01/runtime/invocation/next           waits for an event, which has an id and a deadline in its header
//	POST /2018-06-01/runtime/invocation/ID/response    202
//	POST /2018-06-01/runtime/invocation/ID/error       202
//	POST /2018-06-01/runtime/init/error                202
//	POST /2020-01-01/extension/register                200, with the extension's identifier in its header
//	GET  /2020-01-01/extension/event/next              waits for ever: the extension has registered for no events
type lambdaService struct {
	server  *httptest.Server
	timeout time.Duration // of the function
	asked   chan struct{} // for each GET of next
	idle    bool          // one has come that no event has been handed to
	events  chan []byte   // for next
	answers chan answer   // of invocations, which come one at a time
	over    chan struct{} // closed with the service
	id      int           // of the last event
	signals chan []string // the extension that has registered, once
}

type answer struct {
	id, kind string // kind is response or error
	body     []byte
}

func startService(t *testing.T, timeout time.Duration) *lambdaService {
	s := &lambdaService{
		timeout: timeout, asked: make(chan struct{}), events: make(chan []byte), answers: make(chan answer, 1),
		over: make(chan struct{}), signals: make(chan []string, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", s.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{kind}", s.answered)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", s.answered)
	mux.HandleFunc("POST /2020-01-01/extension/register", s.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-s.over:
		case <-r.Context().Done():
		}
	})
	s.server = httptest.NewServer(mux)
	t.Cleanup(func() { close(s.over); s.server.CloseClientConnections(); s.server.Close() })
	return s
}

func (s *lambdaService) address() string { return strings.TrimPrefix(s.server.URL, "http://") }

func (s *lambdaService) next(w http.ResponseWriter, r *http.Request) {
	select {
	case s.asked <- struct{}{}:
	case <-s.over:
	}
	select {
	case event := <-s.events:
		s.id++
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprint("request-", s.id))
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(s.timeout).UnixMilli()))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:example")
		_, _ = w.Write(event)
	case <-s.over:
	case <-r.Context().Done():
	}
}

func (s *lambdaService) answered(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	s.answers <- answer{r.PathValue("id"), r.PathValue("kind"), body}
}

func (s *lambdaService) register(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ Events []string }
	_ = json.NewDecoder(r.Body).Decode(&wanted)
	w.Header().Set("Lambda-Extension-Identifier", "extension-1")
	_, _ = io.WriteString(w, "{}")
	s.signals <- append([]string{r.Header.Get("Lambda-Extension-Name")}, wanted.Events...)
}

// ready waits until the function asks for an event: it is initialized, and has nothing to do. No environment is frozen before.
func (s *lambdaService) ready(t *testing.T) {
	t.Helper()
	if s.idle {
		return
	}
	select {
	case <-s.asked:
		s.idle = true
	case a := <-s.answers:
		t.Fatalf("initialization failed: %s", a.body)
	case <-time.After(20 * time.Second):
		t.Fatal("the function did not ask for an event")
	}
}

// hand hands an event to the function, which is ready, perhaps while it stands still. It does not wait for the answer.
func (s *lambdaService) hand(r request) {
	event, _ := json.Marshal(r)
	s.idle = false
	s.events <- event
}

// reading waits for the answer to the event handed out last, which must be a reading.
func (s *lambdaService) reading(t *testing.T) (got reading) {
	t.Helper()
	select {
	case a := <-s.answers:
		require.Equal(t, "response", a.kind, string(a.body))
		require.Equal(t, fmt.Sprint("request-", s.id), a.id)
		var r response
		require.NoError(t, json.NewDecoder(bytes.NewReader(a.body)).Decode(&r))
		require.Equal(t, http.StatusOK, r.StatusCode, r.Body)
		require.NoError(t, json.Unmarshal([]byte(r.Body), &got))
	case <-time.After(s.timeout):
		t.Fatal("the invocation timed out")
	}
	return got
}

func (s *lambdaService) invoke(t *testing.T, r request) reading {
	t.Helper()
	s.ready(t)
	s.hand(r)
	return s.reading(t)
}

// reach returns the function's environment variables for a cluster without TLS.
func reach(endpoint string) map[string]string {
	host, port, _ := net.SplitHostPort(endpoint)
	return map[string]string{"CONFIGURATION_ENDPOINT_ADDRESS": host, "REDIS_PORT": port, "CACHE_TLS": "false"}
}
