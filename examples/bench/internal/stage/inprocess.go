package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// inProcess is a cluster in this process, for machines without a server.
type inProcess struct {
	cluster *keyslottest.Cluster
	opts    Options
}

const (
	// Slots move in chunks, so that a migration lasts: 8,192 slots take a second or two.
	movedAtOnce = 64
	movePause   = 10 * time.Millisecond

	// deadFor is how long a killed primary has no successor: about what servers with our nodeTimeout take.
	deadFor = nodeTimeout + 500*time.Millisecond
)

func startInProcess(opts Options) (Stage, error) {
	c, err := keyslottest.Start(keyslottest.Options{Shards: opts.Shards, Replicas: opts.Replicas})
	if err != nil {
		return nil, err
	}
	return &inProcess{c, opts}, nil
}

func (s *inProcess) Target() client.Target { return client.Target{Endpoint: s.cluster.Endpoint()} }

func (s *inProcess) Where() string {
	return "in the process of the benchmark, " + s.opts.String() + "; its figures say nothing of a server's"
}

func (s *inProcess) Close() { _ = s.cluster.Close() }

func (s *inProcess) Do(ctx context.Context, e Experiment, scene Scene) error {
	switch e {
	case ScaleOut:
		return s.scaleOut(ctx, scene)
	case ScaleIn:
		return s.scaleIn(ctx, scene)
	case Failover:
		return s.failover(scene)
	case Kill:
		return s.kill(ctx, scene)
	}
	return fmt.Errorf("no experiment %q", e)
}

func (s *inProcess) scaleOut(ctx context.Context, scene Scene) error {
	before := s.cluster.Shards()
	added, err := s.cluster.AddShard()
	if err != nil {
		return err
	}
	scene.Note("a shard without slots has joined at " + added.Primary.Addr)
	for _, from := range before {
		slots := slotsOf(from)
		if err := s.move(ctx, from, added, slots[:len(slots)/(len(before)+1)]); err != nil {
			return err
		}
	}
	return nil
}

func (s *inProcess) scaleIn(ctx context.Context, scene Scene) error {
	all := s.cluster.Shards()
	if len(all) < 2 {
		return errors.New("there is only one shard")
	}
	leaving, others := all[len(all)-1], all[:len(all)-1]
	slots := slotsOf(leaving)
	for i, to := range others {
		if err := s.move(ctx, leaving, to, slots[len(slots)*i/len(others):len(slots)*(i+1)/len(others)]); err != nil {
			return err
		}
	}
	scene.Note("its slots have left " + leaving.Primary.Addr)
	return s.cluster.RemoveShard(ctx, leaving.Primary.ID)
}

func (s *inProcess) move(ctx context.Context, from, to keyslottest.Shard, slots []uint16) error {
	for some := range slices.Chunk(slots, movedAtOnce) {
		if err := s.cluster.MoveSlots(ctx, from.Primary.ID, to.Primary.ID, some...); err != nil {
			return err
		}
		if err := realcluster.Wait(ctx, movePause); err != nil {
			return err
		}
	}
	return nil
}

func (s *inProcess) failover(scene Scene) error {
	shard := s.cluster.Shards()[0]
	if len(shard.Replicas) == 0 {
		return errors.New("the shard has no replica")
	}
	if err := s.cluster.Failover(shard.Replicas[0].ID); err != nil {
		return err
	}
	scene.Note(shard.Replicas[0].Addr + " is the primary")
	return nil
}

func (s *inProcess) kill(ctx context.Context, scene Scene) error {
	killed := s.cluster.Shards()[0].Primary
	if err := s.cluster.Stop(killed.ID); err != nil {
		return err
	}
	scene.Note("killed " + killed.Addr)
	if err := realcluster.Wait(ctx, deadFor); err != nil {
		return err
	}
	if err := s.failover(scene); err != nil {
		return err
	}
	return s.cluster.Restart(killed.ID)
}

func slotsOf(s keyslottest.Shard) []uint16 {
	var slots []uint16
	for _, r := range s.Slots {
		for slot := int(r.First); slot <= int(r.Last); slot++ {
			slots = append(slots, uint16(slot))
		}
	}
	return slots
}
