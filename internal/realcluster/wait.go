package realcluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollInterval is how often a condition is looked at: well below the 100 ms tick of the servers' cluster timer.
const pollInterval = 20 * time.Millisecond

// Wait returns after d, or with ctx's error.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Until calls check every 20 ms until it returns nil, or an error that waiting will not cure, or ctx ends; then the error says
// what was still missing.
func Until(ctx context.Context, check func() error) error {
	for {
		err := check()
		var final permanent
		if err == nil || errors.As(err, &final) {
			return err
		}
		if late := Wait(ctx, pollInterval); late != nil {
			return fmt.Errorf("%w; still: %w", late, err)
		}
	}
}
