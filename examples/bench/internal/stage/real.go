package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// real is a cluster of server processes on loopback.
type real struct {
	cluster *realcluster.Cluster
	opts    Options
}

// nodeTimeout is how long a node may be silent until the others call it dead (cluster-node-timeout): what ElastiCache
// has is not published, and servers as shipped have 15 s.
const nodeTimeout = 2 * time.Second

// startReal starts servers of the first engine that is here. The error says why there is none.
func startReal(ctx context.Context, opts Options) (Stage, error) {
	var missing error
	for _, name := range realcluster.Names() {
		engine, err := realcluster.Find(name)
		if err != nil {
			missing = errors.Join(missing, err)
			continue
		}
		c, err := realcluster.Run(ctx, engine, realcluster.Options{
			Primaries: opts.Shards, Replicas: opts.Replicas, NodeTimeout: nodeTimeout,
		})
		if err != nil {
			return nil, err
		}
		return &real{c, opts}, nil
	}
	return nil, &noServerError{missing}
}

// noServerError says that there is no server program here.
type noServerError struct{ err error }

func (e *noServerError) Error() string { return e.err.Error() }

func (s *real) Target() client.Target { return client.Target{Endpoint: s.cluster.Addrs()[0]} }

func (s *real) Where() string { return "loopback, " + s.opts.String() }

func (s *real) Close() { s.cluster.Stop() }

func (s *real) Do(ctx context.Context, e Experiment, scene Scene) error {
	switch e {
	case ScaleOut:
		return s.scaleOut(ctx, scene)
	case ScaleIn:
		return s.scaleIn(ctx, scene)
	case Failover:
		return s.failover(ctx, scene)
	case Kill:
		return s.kill(ctx, scene)
	}
	return fmt.Errorf("no experiment %q", e)
}

// holding is a primary with the slots that it has.
type holding struct {
	node  *realcluster.Node
	slots []int
}

// holdings returns the primaries that have slots, oldest first.
func (s *real) holdings(ctx context.Context) ([]*holding, error) {
	owners, err := s.cluster.Owners(ctx)
	if err != nil {
		return nil, err
	}
	var all []*holding
	for slot, owner := range owners {
		i := slices.IndexFunc(all, func(h *holding) bool { return h.node == owner })
		if i < 0 {
			all = append(all, &holding{node: owner})
			i = len(all) - 1
		}
		all[i].slots = append(all[i].slots, slot)
	}
	age := func(n *realcluster.Node) int { return slices.Index(s.cluster.Nodes(), n) }
	slices.SortFunc(all, func(a, b *holding) int { return cmp.Compare(age(a.node), age(b.node)) })
	return all, nil
}

// scaleOut adds a shard and gives it its share of the slots, as many of each other one, key by key under load. Its
// replicas come last: a primary without slots is not in CLUSTER SLOTS, and neither are its replicas.
func (s *real) scaleOut(ctx context.Context, scene Scene) error {
	before, err := s.holdings(ctx)
	if err != nil {
		return err
	}
	added, err := s.cluster.AddPrimary(ctx)
	if err != nil {
		return fmt.Errorf("adding a primary: %w", err)
	}
	scene.Note("a primary without slots has joined at " + added.Addr())
	for _, from := range before {
		share := len(from.slots) / (len(before) + 1)
		if err := s.cluster.Reshard(ctx, from.node, added, share); err != nil {
			return err
		}
	}
	scene.Note("its slots have arrived")
	for range s.opts.Replicas {
		if _, err := s.cluster.AddReplica(ctx, added); err != nil {
			return fmt.Errorf("adding a replica: %w", err)
		}
	}
	return nil
}

// scaleIn gives the slots of the newest shard to the others, in equal shares, and removes its nodes.
func (s *real) scaleIn(ctx context.Context, scene Scene) error {
	all, err := s.holdings(ctx)
	if err != nil {
		return err
	}
	if len(all) < 2 {
		return errors.New("there is only one shard")
	}
	leaving, others := all[len(all)-1], all[:len(all)-1]
	nodes, err := s.cluster.ReplicasOf(ctx, leaving.slots[0])
	if err != nil {
		return err
	}
	for i, to := range others {
		share := len(leaving.slots)*(i+1)/len(others) - len(leaving.slots)*i/len(others)
		if err := s.cluster.Reshard(ctx, leaving.node, to.node, share); err != nil {
			return err
		}
	}
	scene.Note("its slots have left " + leaving.node.Addr())
	for _, n := range append(nodes, leaving.node) {
		if err := s.cluster.Remove(ctx, n); err != nil {
			return fmt.Errorf("removing %s: %w", n, err)
		}
	}
	return nil
}

// failover lets a replica of the first slot's shard take over.
func (s *real) failover(ctx context.Context, scene Scene) error {
	replica, err := s.replica(ctx)
	if err != nil {
		return err
	}
	if err := s.cluster.Failover(ctx, replica); err != nil {
		return err
	}
	scene.Note(replica.Addr() + " is the primary")
	return nil
}

// electorate is how many primaries it takes until the rest of them can elect a successor for one.
const electorate = 3

// kill ends the primary of the first slot. With fewer than three shards the other primaries are no majority, and cannot elect
// its successor: then the replica is told to take over once the primary counts as dead, as the control plane of a service does.
func (s *real) kill(ctx context.Context, scene Scene) error {
	replica, err := s.replica(ctx)
	if err != nil {
		return err
	}
	all, err := s.holdings(ctx)
	if err != nil {
		return err
	}
	primary, err := s.cluster.Primary(ctx, 0)
	if err != nil {
		return err
	}
	died := time.Now()
	if err := primary.Kill(); err != nil {
		return err
	}
	scene.Note("killed " + primary.Addr())
	if len(all) < electorate {
		if err := s.takeOver(ctx, replica); err != nil {
			return err
		}
	}
	if err := s.cluster.WaitRole(ctx, replica, "primary"); err != nil {
		return err
	}
	scene.Note(fmt.Sprintf("%s is the primary, %.1f s after the death", replica.Addr(), time.Since(died).Seconds()))
	if err := primary.Restart(ctx); err != nil {
		return err
	}
	return s.cluster.WaitHealthy(ctx)
}

func (s *real) takeOver(ctx context.Context, replica *realcluster.Node) error {
	if err := realcluster.Wait(ctx, nodeTimeout); err != nil {
		return err
	}
	_, err := s.cluster.Do(ctx, replica, "CLUSTER", "FAILOVER", "TAKEOVER")
	return err
}

// replica returns a replica of the first slot's shard.
func (s *real) replica(ctx context.Context) (*realcluster.Node, error) {
	replicas, err := s.cluster.ReplicasOf(ctx, 0)
	if err != nil {
		return nil, err
	}
	if len(replicas) == 0 {
		return nil, errors.New("the shard has no replica")
	}
	return replicas[0], nil
}
