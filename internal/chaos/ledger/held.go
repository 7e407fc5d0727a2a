package ledger

import (
	"context"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Read takes from the servers what they hold of all keys in records, each from the primary that says it owns the slot. It
// speaks plain RESP over realcluster's own connections. The cluster must be healthy and the load over. Read blocks until
// it has all, or ctx ends.
func Read(ctx context.Context, cluster *realcluster.Cluster, records []Record) (Held, error) {
	return Held{}, nil
}

// Clear deletes all keys of the cluster (FLUSHALL at every primary), as between two rounds. It blocks until that is done
// or ctx ends.
func Clear(ctx context.Context, cluster *realcluster.Cluster) error { return nil }
