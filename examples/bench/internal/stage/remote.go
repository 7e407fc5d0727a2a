package stage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/elasticache"
	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// remote is somebody else's cluster. Nothing is done to it here: experiments say how, and wait until they see it happen.
type remote struct{ target client.Target }

// Remote returns the cluster at target. Nothing is dialled.
func Remote(target client.Target) Stage { return remote{target} }

func (s remote) Target() client.Target { return s.target }

func (s remote) Where() string {
	e := elasticache.Recognize(s.target.Name())
	switch {
	case e.Kind == elasticache.Unrecognized:
		return "given by its address"
	case e.Region == "":
		return "ElastiCache"
	}
	return "ElastiCache, " + e.Region
}

func (s remote) Close() {}

// settled is how long nothing may change until a change that was waited for counts as over: ElastiCache moves slots one
// by one, with pauses.
const settled = 15 * time.Second

func (s remote) Do(ctx context.Context, e Experiment, scene Scene) error {
	before := scene.Owners()
	scene.Tell(s.instructions(e, before))
	if err := scene.Until(ctx, func(now record.Ownership) bool { return begun(e, before, now) }); err != nil {
		return fmt.Errorf("the topology has not changed: %w", err)
	}
	scene.Note("the topology changes")
	var last string
	var since time.Time
	return scene.Until(ctx, func(now record.Ownership) bool {
		if text := fmt.Sprint(now); text != last {
			last, since = text, time.Now()
		}
		return time.Since(since) >= settled
	})
}

// begun reports whether what e asks for can be seen.
func begun(e Experiment, before, now record.Ownership) bool {
	switch e {
	case ScaleOut:
		return len(now.Shards) > len(before.Shards)
	case ScaleIn: // slots leave a shard long before it goes
		return fmt.Sprint(ranges(before)) != fmt.Sprint(ranges(now))
	}
	was := map[string]string{}
	for _, shard := range before.Shards {
		was[shard.Shard] = shard.Node
	}
	for _, shard := range now.Shards {
		if was[shard.Shard] != shard.Node {
			return true
		}
	}
	return false
}

func ranges(o record.Ownership) [][][2]uint16 {
	var all [][][2]uint16
	for _, shard := range o.Shards {
		all = append(all, shard.Ranges)
	}
	return all
}

// instructions say how to do e by hand: with the AWS CLI where the endpoint is one of ElastiCache, else with redis-cli.
func (s remote) instructions(e Experiment, now record.Ownership) string {
	endpoint := elasticache.Recognize(s.target.Name())
	if endpoint.Kind == elasticache.Unrecognized {
		return fmt.Sprintf("now, for %s, in another terminal (-scale-out-at and its like wait for it):\n  %s", e, s.redisCLI(e))
	}
	region := ""
	if endpoint.Region != "" {
		region = " --region " + endpoint.Region
	}
	return fmt.Sprintf("now, for %s, in another terminal:\n  aws elasticache %s%s",
		e, awsCLI(e, endpoint.Cache, len(now.Shards)), region)
}

// awsCLI returns a command of the AWS CLI (AWS CLI Command Reference, elasticache). AWS kills no node on request: the
// test of a failover is the nearest.
func awsCLI(e Experiment, group string, shards int) string {
	if group == "" {
		group = "GROUP"
	}
	resize := func(to int) string {
		return fmt.Sprintf("modify-replication-group-shard-configuration --replication-group-id %s --node-group-count %d "+
			"--apply-immediately", group, to)
	}
	switch e {
	case ScaleOut:
		return resize(shards + 1)
	case ScaleIn:
		return resize(shards-1) + fmt.Sprintf(" --node-groups-to-remove %04d", shards)
	}
	return fmt.Sprintf("test-failover --replication-group-id %s --node-group-id 0001", group)
}

func (s remote) redisCLI(e Experiment) string {
	at, _, _ := strings.Cut(s.target.Name(), ",")
	switch e {
	case ScaleOut:
		return fmt.Sprintf("redis-cli --cluster add-node NEW:PORT %s && "+
			"redis-cli --cluster rebalance %s --cluster-use-empty-masters", at, at)
	case ScaleIn:
		return fmt.Sprintf("redis-cli --cluster rebalance %s --cluster-weight NODE-ID=0 && "+
			"redis-cli --cluster del-node %s NODE-ID", at, at)
	case Failover:
		return "redis-cli -h REPLICA -p PORT CLUSTER FAILOVER"
	}
	return "kill the process of a primary that has a replica"
}

// Restored reports whether the shards are as many as they were.
func Restored(before, now record.Ownership) bool { return len(before.Shards) == len(now.Shards) }
