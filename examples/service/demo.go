package main

import (
	"net/http"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// demo changes the cluster in this process while it is used, for whoever wants to see a service go through that. No
// service needs this file.
type demo struct{ cluster *keyslottest.Cluster }

func startDemo() (*demo, error) {
	cluster, err := keyslottest.Start(keyslottest.Options{Shards: 3, Replicas: 1})
	return &demo{cluster}, err
}

func (d *demo) addTo(mux *http.ServeMux, s *service) {
	mux.Handle("POST /demo/failover", s.answer(d.failover))
	mux.Handle("POST /demo/grow", s.answer(d.grow))
}

// failover makes a replica of each shard its primary, as a managed service does for an update.
func (d *demo) failover(*http.Request) (int, any, error) {
	shards := d.cluster.Shards()
	for _, shard := range shards {
		if err := d.cluster.Failover(shard.Replicas[0].ID); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, map[string]int{"failovers": len(shards)}, nil
}

const maxShards = 8

// grow adds a shard and moves its share of the slots to it, one after the other, each key by key.
func (d *demo) grow(r *http.Request) (int, any, error) {
	if len(d.cluster.Shards()) >= maxShards {
		return 0, nil, &problem{http.StatusConflict, "that is enough for a demonstration"}
	}
	added, err := d.cluster.AddShard()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]string{"added": added.Primary.Addr}, d.cluster.Rebalance(r.Context())
}
