package keyslot

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// untilThen returns ctx with a deadline, unless that is zero.
func untilThen(ctx context.Context, until time.Time) (context.Context, context.CancelFunc) {
	if until.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, until)
}

// named says of the end of a caller's patience whose bound that was, where it was the client's own, at until: a
// context's deadline is its maker's.
func (t *terms) named(err error, until time.Time) error {
	if until.IsZero() || !errors.Is(err, context.DeadlineExceeded) || !isPatience(err) {
		return err
	}
	bound, option := t.timeout, "Timeout"
	if bound == t.core.opts.CommandTimeout {
		option = "CommandTimeout"
	}
	return fmt.Errorf("%s of %v: %w", option, bound, err)
}

// waitFor returns nil when done is closed, or the reason why the caller may wait no longer.
func waitFor(ctx context.Context, until time.Time, done <-chan struct{}) error {
	var expired <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return context.DeadlineExceeded
	}
}

// waitForDial returns nil when the dial is done, errLostSlots when its node has lost its slots first, or a waitError.
func waitForDial(ctx context.Context, until time.Time, done, lost <-chan struct{}) error {
	ctx, cancel := untilThen(ctx, until)
	defer cancel()
	select {
	case <-done:
		return nil
	case <-lost:
		return errLostSlots
	case <-ctx.Done():
		return &waitError{ctx.Err()}
	}
}

// waitError is the end of a caller's patience while it waited for a dial.
type waitError struct{ err error }

func (e *waitError) Error() string { return e.err.Error() }

func (e *waitError) Unwrap() error { return e.err }
