package main

import (
	"context"
	"regexp"
	"strconv"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// asked is how often one server process was asked for its slots, and how often by the harness.
type asked struct {
	pid          int
	total, views int
}

// meter counts what the client costs the servers beside its commands.
type meter struct {
	dials int
	asked map[*realcluster.Node]asked
}

var slotsCalls = regexp.MustCompile(`cmdstat_cluster\|slots:calls=(\d+)`)

// read takes the counts of the moment.
func (st *stand) read(ctx context.Context) (meter, error) {
	m := meter{dials: st.dials(), asked: map[*realcluster.Node]asked{}}
	for _, n := range st.cluster.Live() {
		stats, err := st.cluster.Do(ctx, n, "INFO", "commandstats")
		if err != nil {
			return m, err
		}
		seen := asked{pid: n.PID(), views: n.Views()}
		if found := slotsCalls.FindStringSubmatch(stats); found != nil {
			seen.total, err = strconv.Atoi(found[1])
		}
		if err != nil {
			return m, err
		}
		m.asked[n] = seen
	}
	return m, nil
}

// since returns the client's share of what came after before. A process that was started in between is not counted: who
// asked the one before it died with that.
func (m meter) since(before meter) ledger.Traffic {
	traffic := ledger.Traffic{Dials: m.dials - before.dials}
	for n, now := range m.asked {
		was := before.asked[n]
		if was.pid != now.pid {
			continue
		}
		traffic.Topology += max(0, now.total-was.total-(now.views-was.views))
	}
	return traffic
}
