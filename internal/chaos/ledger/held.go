package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Read takes from the servers what they hold of all keys in records, each from the primary that says it owns the slot.
// It speaks plain RESP over realcluster's own connections. The cluster must be healthy and the load over. Read blocks
// until it has all, or ctx ends.
func Read(ctx context.Context, cluster *realcluster.Cluster, records []Record) (Held, error) {
	primaries, err := primariesOf(ctx, cluster)
	if err != nil {
		return Held{}, err
	}
	held := Held{Hashes: map[string]map[string]string{}, Lists: map[string][]string{}}
	slots := map[string]uint16{}
	hash := map[string]bool{}
	for _, op := range records {
		switch op.Kind {
		case Write, Push, Pop:
			slots[op.Key], hash[op.Key] = op.Slot, op.Kind == Write
		}
	}
	for _, p := range primaries {
		if err := held.read(ctx, cluster, p, slots, hash); err != nil {
			return Held{}, err
		}
	}
	if len(slots) > 0 {
		return Held{}, fmt.Errorf("%d keys are in slots that no primary claims", len(slots))
	}
	return held, nil
}

// read reads the keys of one primary and takes them out of slots.
func (h Held) read(ctx context.Context, cluster *realcluster.Cluster, p primary, slots map[string]uint16, hash map[string]bool) error {
	conn, err := cluster.Dial(ctx, p.node)
	if err != nil {
		return fmt.Errorf("reading the keys of %s: %w", p.node, err)
	}
	defer conn.Close()
	for key, slot := range slots {
		if !p.owns(slot) {
			continue
		}
		command := []string{"LRANGE", key, "0", "-1"}
		if hash[key] {
			command = []string{"HGETALL", key}
		}
		reply, err := conn.Do(ctx, command...)
		if err != nil {
			return fmt.Errorf("%s %s at %s: %w", command[0], key, p.node, err)
		}
		delete(slots, key)
		if reply == "" {
			continue
		}
		lines := strings.Split(reply, "\n")
		if !hash[key] {
			h.Lists[key] = lines
			continue
		}
		fields := map[string]string{}
		for pair := range slices.Chunk(lines, 2) {
			fields[pair[0]] = pair[1]
		}
		h.Hashes[key] = fields
	}
	return nil
}

// Clear deletes all keys of the cluster (FLUSHALL at every primary), as between two rounds. It blocks until that is
// done or ctx ends.
func Clear(ctx context.Context, cluster *realcluster.Cluster) error {
	primaries, err := primariesOf(ctx, cluster)
	for _, p := range primaries {
		_, flushed := cluster.Do(ctx, p.node, "FLUSHALL")
		err = errors.Join(err, flushed)
	}
	return err
}

// primary is a node with the slots that it says are its own.
type primary struct {
	node  *realcluster.Node
	slots []SlotRange
}

func (p primary) owns(slot uint16) bool {
	return slices.ContainsFunc(p.slots, func(s SlotRange) bool { return s.Contains(slot) })
}

// primariesOf asks every node that runs for its own slots.
func primariesOf(ctx context.Context, cluster *realcluster.Cluster) ([]primary, error) {
	var primaries []primary
	for _, node := range cluster.Nodes() {
		if node.PID() == 0 {
			continue
		}
		view, err := cluster.Do(ctx, node, "CLUSTER", "NODES")
		if err != nil {
			return nil, err
		}
		own, err := ownSlots(view)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", node, err)
		}
		if len(own) > 0 {
			primaries = append(primaries, primary{node, own})
		}
	}
	return primaries, nil
}

// ownSlots returns the slots of the node that sent a reply to CLUSTER NODES:
//
//	<id> <ip:port@bus> myself,master - <ping> <pong> <epoch> connected 0-5460 7000 [7001->-<id>]
func ownSlots(view string) ([]SlotRange, error) {
	var own []SlotRange
	for line := range strings.Lines(view) {
		fields := strings.Fields(line)
		if len(fields) < 9 || !strings.Contains(fields[2], "myself,master") {
			continue
		}
		for _, field := range fields[8:] {
			if strings.HasPrefix(field, "[") {
				continue // being moved, and still owned
			}
			first, last, isRange := strings.Cut(field, "-")
			if !isRange {
				last = first
			}
			from, err := strconv.ParseUint(first, 10, 14)
			if err != nil {
				return nil, err
			}
			to, err := strconv.ParseUint(last, 10, 14)
			if err != nil {
				return nil, err
			}
			own = append(own, SlotRange{uint16(from), uint16(to)})
		}
	}
	return own, nil
}
