package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// running is a service that listens on a port of its own.
type running struct {
	*service
	url       string
	http      *http.Client
	log       *lockedBuffer
	redirects *atomic.Int64
	stop      func() error // as SIGTERM does; waits until the service has ended
}

// start starts a service on a cluster and a database.
func start(t *testing.T, target string, db *database, settings settings) *running {
	t.Helper()
	opts, err := keyslot.ParseTarget(target)
	require.NoError(t, err)
	opts.RefreshAfter = time.Second
	redirects := new(atomic.Int64)
	opts.Trace = &keyslot.Trace{Redirected: func(keyslot.RedirectEvent) { redirects.Add(1) }}
	client, err := keyslot.New(t.Context(), opts)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	log := &lockedBuffer{}
	s := newService(client, db, settings, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, listener, s.routes()) }() // ends with stop
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	t.Cleanup(transport.CloseIdleConnections)
	r := &running{
		service: s, url: "http://" + listener.Addr().String(), http: &http.Client{Transport: transport},
		log: log, redirects: redirects,
	}
	r.stop = sync.OnceValue(func() error {
		transport.CloseIdleConnections() // Shutdown waits 5 s for one that was dialled and not used
		cancel()
		return <-ended
	})
	t.Cleanup(func() { require.NoError(t, r.stop()) })
	return r
}

// quick is a database that is not slow.
func quick() *database { return newDatabase(time.Millisecond) }

// ask sends a request, with header lines as "Name: value", and returns the status and the body; 0 and the error if
// there is no answer.
func (r *running) ask(method, path, body string, header ...string) (status int, answer string) {
	request, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	response, err := r.http.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	if after := response.Header.Get("Retry-After"); after != "" {
		text = append(text, "Retry-After: "+after...)
	}
	return response.StatusCode, string(text)
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestShutdownLetsRequestsEndAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	db := newDatabase(300 * time.Millisecond)
	s := start(t, cluster.Endpoint(), db, defaults())
	status := make(chan int)
	go func() { // ends with its answer
		got, _ := s.ask("GET", "/products/1", "")
		status <- got
	}()
	require.Eventually(t, func() bool { return db.Reads() == 1 }, 5*time.Second, time.Millisecond)

	stopped := make(chan error)
	go func() { stopped <- s.stop() }() // ends when the request under way has its answer
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 5*time.Second, time.Millisecond, "new ones are refused")
	require.Equal(t, http.StatusOK, <-status)
	require.NoError(t, <-stopped)
	require.Eventually(t, func() bool { return cluster.Stats("").Conns == 0 }, 5*time.Second, time.Millisecond)
	_, err := s.client.Get(t.Context(), "k")
	require.ErrorIs(t, err, keyslot.ErrClosed)
}

func TestBadRequestsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	s := start(t, cluster.Endpoint(), quick(), defaults())
	before := cluster.Stats("").Commands
	for _, tc := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/session", `{"user":"ann"`, 400},
		{"POST", "/session", `{"user":"ann"} {}`, 400},
		{"POST", "/session", `{"user":"ann","admin":true}`, 400},
		{"POST", "/session", `{"user":""}`, 400},
		{"POST", "/session", `{"user":"` + strings.Repeat("a", maxBody) + `"}`, 413},
		{"GET", "/session", "", 401},
		{"GET", "/products/%7B1%7D", "", 400}, // {1}
		{"PUT", "/products/1", `{"name":"","cents":1}`, 400},
		{"POST", "/boards/eu/scores", `{"player":"ann","points":0}`, 400},
		{"POST", "/boards/eu:x/scores", `{"player":"ann","points":1}`, 400},
		{"GET", "/boards/eu?top=1000", "", 400},
		{"DELETE", "/boards/eu", "", 405},
		{"GET", "/nothing", "", 404},
	} {
		status, answer := s.ask(tc.method, tc.path, tc.body)
		require.Equal(t, tc.status, status, "%s %s: %s", tc.method, tc.path, answer)
	}
	require.Equal(t, before, cluster.Stats("").Commands)
}

// A score is sent to a node that refuses it, then to one that counts it and never says so.
func TestTheStatusSaysWhatBecameOfAWrite(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	settings := defaults()
	settings.deadline = 300 * time.Millisecond
	s := start(t, cluster.Endpoint(), quick(), settings)
	score := func() (int, string) {
		return s.ask("POST", "/boards/eu/scores", `{"player":"ann","points":5}`, "Idempotency-Key: game-1")
	}
	for _, tc := range []struct {
		fault  keyslottest.Fault
		status int
		says   string
	}{
		{keyslottest.Fault{Command: "EVALSHA", Error: "CLUSTERDOWN The cluster is down"}, 503, "safe to repeat the request\"}\nRetry-After: 1"},
		{keyslottest.Fault{Command: "EVAL", Reset: true}, 502, "it may have happened"},
		{keyslottest.Fault{}, 200, `{"player":"ann","rank":1,"points":5,"games":1}`}, // once, however often it was sent
	} {
		heal, err := cluster.Inject(cluster.Owner(boardKey("eu")).ID, tc.fault)
		require.NoError(t, err)
		status, answer := score()
		for again := 0; status == 502 && tc.status == 503 && again < 5; again++ { // the last attempt was under way at the deadline
			status, answer = score()
		}
		heal()
		require.Equal(t, tc.status, status, answer)
		require.Contains(t, answer, tc.says)
	}
}

func TestTheLogTellsRoutesAndNoValues(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	s := start(t, cluster.Endpoint(), quick(), defaults())
	s.ask("GET", "/boards/europe/players/annabel", "", "Authorization: Bearer s3cret")
	s.ask("GET", "/session", "", "Authorization: Bearer s3cret")
	for _, node := range cluster.Nodes() { // for good, because a try that is under way at the deadline might have another status
		_, err := cluster.Inject(node.ID, keyslottest.Fault{Error: "NOPERM No permissions to access a key"})
		require.NoError(t, err)
	}
	s.ask("POST", "/boards/europe/scores", `{"player":"annabel","points":123456}`)
	require.NoError(t, s.stop())

	log := s.log.String()
	require.Contains(t, log, `level=INFO msg=request route="GET /boards/{region}/players/{player}" status=404`)
	require.Contains(t, log, `level=ERROR msg=request route="POST /boards/{region}/scores" status=500`)
	require.Contains(t, log, "EVALSHA (slot ")
	for _, value := range []string{"europe", "annabel", "123456", "s3cret"} {
		require.NotContains(t, log, value)
	}
}
