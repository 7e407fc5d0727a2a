package command

import (
	"cmp"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// LatencySpike is one spike of an event.
type LatencySpike struct {
	Time time.Time
	Took time.Duration // in milliseconds
}

// LatencyEvent is the latest spike of an event, and its highest one since the server began to watch.
type LatencyEvent struct {
	Name          string
	Time          time.Time
	Took, Slowest time.Duration // in milliseconds
}

// SlowCommand is one entry of a slow log.
type SlowCommand struct {
	ID         int64
	Time       time.Time
	Took       time.Duration // in microseconds
	Args       []string      // shortened by the server
	ClientAddr string
	ClientName string
}

// present reads a reply of many shapes. A null is Nil.
func present(c *Call, p *packer) (Reply, error) {
	r, err := reply(c, p)
	if err == nil && r.IsNil() {
		err = Nil
	}
	return r, err
}

// moment reads TIME's seconds and microseconds.
func moment(c *Call, p *packer) (time.Time, error) {
	return tree(c, func(r Reply) (t time.Time, err error) {
		n, err := ints(r, 2)
		if err != nil {
			return t, err
		}
		return time.UnixMicro(n[0]*1e6 + n[1]), nil
	})
}

// ints reads an array of exactly n integers.
func ints(r Reply, n int) ([]int64, error) {
	elems, err := r.Slice()
	if err != nil || len(elems) != n {
		return nil, cmp.Or(err, r.mismatch("an array of integers"))
	}
	out := make([]int64, n)
	for i := range elems {
		if out[i], err = elems[i].Int64(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// each reads every element of an array.
func each[T any](r Reply, read func(Reply) (T, error)) ([]T, error) {
	elems, err := r.Slice()
	if err != nil {
		return nil, err
	}
	out := make([]T, len(elems))
	for i := range elems {
		if out[i], err = read(elems[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func latencySpikes(c *Call, _ *packer) ([]LatencySpike, error) {
	return tree(c, func(r Reply) ([]LatencySpike, error) {
		return each(r, func(r Reply) (LatencySpike, error) {
			n, err := ints(r, 2)
			if err != nil {
				return LatencySpike{}, err
			}
			return LatencySpike{time.Unix(n[0], 0), time.Duration(n[1]) * time.Millisecond}, nil
		})
	})
}

func latencyEvents(c *Call, _ *packer) ([]LatencyEvent, error) {
	return tree(c, func(r Reply) ([]LatencyEvent, error) { return each(r, latencyEvent) })
}

// latencyEvent reads [name, time, took, slowest]; newer servers add more.
func latencyEvent(r Reply) (e LatencyEvent, err error) {
	fields, err := r.Slice()
	if err != nil || len(fields) < 4 {
		return e, cmp.Or(err, r.mismatch("a latency event"))
	}
	var n [3]int64
	for i := range n {
		if n[i], err = fields[i+1].Int64(); err != nil {
			return e, err
		}
	}
	e.Name, err = fields[0].Text()
	e.Time, e.Took, e.Slowest = time.Unix(n[0], 0), time.Duration(n[1])*time.Millisecond, time.Duration(n[2])*time.Millisecond
	return e, err
}

func slowLog(c *Call, _ *packer) ([]SlowCommand, error) {
	return tree(c, func(r Reply) ([]SlowCommand, error) { return each(r, slowCommand) })
}

// slowCommand reads [id, time, microseconds, arguments, address, name].
func slowCommand(r Reply) (s SlowCommand, err error) {
	fields, err := r.Slice()
	if err != nil || len(fields) < 6 {
		return s, cmp.Or(err, r.mismatch("an entry of the slow log"))
	}
	var n [3]int64
	for i := range n {
		if n[i], err = fields[i].Int64(); err != nil {
			return s, err
		}
	}
	s.ID, s.Time, s.Took = n[0], time.Unix(n[1], 0), time.Duration(n[2])*time.Microsecond
	if s.Args, err = fields[3].Strings(); err != nil {
		return s, err
	}
	if s.ClientAddr, err = fields[4].Text(); err != nil {
		return s, err
	}
	s.ClientName, err = fields[5].Text()
	return s, err
}

// lines reads lines of "name:value".
func lines(c *Call, _ *packer) (map[string]string, error) {
	b, ok := resp.Payload(c.Frame)
	if !ok {
		return nil, c.mismatch("a string")
	}
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			m[name] = value
		}
	}
	return m, nil
}

// counts reads a map of numbers.
func counts(c *Call, _ *packer) (map[string]int64, error) {
	return tree(c, func(r Reply) (map[string]int64, error) {
		fields, err := r.Map()
		if err != nil {
			return nil, err
		}
		m := make(map[string]int64, len(fields))
		for name, v := range fields {
			if m[name], err = v.Int64(); err != nil {
				return nil, err
			}
		}
		return m, nil
	})
}
