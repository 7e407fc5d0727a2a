package stage

import (
	"context"
	"errors"
)

// Local starts a cluster on this machine: of servers, or in this process where there is no server, which told is told.
func Local(ctx context.Context, opts Options, told func(text string)) (Stage, error) {
	s, err := startReal(ctx, opts)
	if _, none := errors.AsType[*noServerError](err); none {
		told("no redis-server or valkey-server here (`make test` fetches one): the cluster is in this process, and its " +
			"figures say nothing of a server's")
		return startInProcess(opts)
	}
	return s, err
}

// InProcess starts a cluster in this process.
func InProcess(opts Options) (Stage, error) { return startInProcess(opts) }
