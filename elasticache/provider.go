package elasticache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// providerTimeout ends a question to the provider that dials no longer wait for.
const providerTimeout = 30 * time.Second

// asker puts at most one question to the provider at a time: hundreds of dials, after a failover, share its answer.
// Nothing is kept beyond that, since the provider knows how long its credentials last. Safe for concurrent use.
type asker struct {
	provider aws.CredentialsProvider // immutable

	mu  sync.Mutex
	now *question // guarded by mu: under way
}

type question struct {
	answered    chan struct{}   // closed once the fields below are set
	credentials aws.Credentials // written by the goroutine of ask, then immutable
	err         error           // likewise
}

// ask returns the provider's credentials, or ctx's error as soon as ctx ends, even if the provider does not heed its own.
func (a *asker) ask(ctx context.Context) (aws.Credentials, error) {
	a.mu.Lock()
	q := a.now
	if q == nil {
		q = &question{answered: make(chan struct{})}
		a.now = q
		// Ends with the provider's answer, which its context hurries after providerTimeout. Nobody waits for it: a
		// provider that hangs must not keep a client from closing.
		go a.retrieve(context.WithoutCancel(ctx), q)
	}
	a.mu.Unlock()
	select {
	case <-q.answered:
		return q.credentials, q.err
	case <-ctx.Done():
		return aws.Credentials{}, ctx.Err()
	}
}

var errNoAnswer = errors.New("the provider of credentials gave no answer")

func (a *asker) retrieve(ctx context.Context, q *question) {
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { a.forget(q) }) // the provider may not heed ctx
	defer stop()
	q.err = errNoAnswer // unless it returns
	defer close(q.answered)
	defer a.forget(q)
	q.credentials, q.err = a.provider.Retrieve(ctx)
}

// forget lets the next dial ask anew.
func (a *asker) forget(q *question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now == q {
		a.now = nil
	}
}
