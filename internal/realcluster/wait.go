package realcluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollInterval is how often a condition is looked at: well below the 100 ms tick of the servers' cluster timer.
const pollInterval = 20 * time.Millisecond

// longestWait bounds a wait whose caller has set no bound. Healthy clusters take seconds. Once a promoted replica of Redis
// 7.0.15 disowned the last of the slots that had been moved to its shard right before, and such a cluster never gets well.
const longestWait = 2 * time.Minute

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

// Until calls check every 20 ms until it returns nil, or an error that waiting will not cure, or ctx ends, after 2
// minutes at the latest; then the error says what was still missing.
func Until(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
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
