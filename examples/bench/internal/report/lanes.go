package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// overlaid returns the picture of p95 of all series.
func (st *stage) overlaid(k kind, height float64) template.HTML {
	p := &plot{height: height, time: st.time, value: st.p95}
	var said []string
	for _, s := range st.all {
		said = append(said, s.name+": "+summary(s.drawn, k))
	}
	p.open("p95 of " + k.name + ". " + strings.Join(said, ". "))
	st.overlay95(p, k, st.together(pageLetter))
	p.close()
	return template.HTML(p.String()) // made of numbers, our own words and escaped ones
}

// overlay95 draws the first series last, on top.
func (st *stage) overlay95(p *plot, k kind, behind happenings) {
	p.frame()
	p.happenings(behind)
	p.inside(func() {
		for i, s := range slices.Backward(st.all) {
			p.line("p95-of "+s.class(), fmt.Sprint("c", i), pointsOf(s.drawn, k, func(l record.Latency) float64 { return l.P95 }))
		}
	})
}

const slots = 16384

// slotTicks are quarters: round numbers of slots.
var slotTicks = [...]float64{0, 4096, 8192, 12288, slots}

// slotStrip shows which shard had which slots: a band as high as all of them, in the colours of the shards.
func (st *stage) slotStrip() strip {
	made := strip{Title: "Slot ownership", About: "all 16,384 slots, by the shard that has them", Legend: st.shardLegend()}
	value := scale{high: slots, ticks: slotTicks[:], spell: count}
	made.Figures = st.each(func(s *series) figure {
		owned := sparse(s.shown.Ownership, st.time.high)
		numbers := table{Columns: columns(append([]string{"from"}, st.shards.names...)...)}
		bands := make([][]box, len(st.shards.names))
		for i, o := range owned {
			until := st.time.high
			if i+1 < len(owned) {
				until = owned[i+1].At
			}
			cells := []string{moment(o.At)}
			for j, ranges := range st.shards.ranges(o) {
				for _, r := range ranges {
					bands[j] = append(bands[j],
						box{o.At, until, tallSlots * (1 - float64(r[1]+1)/slots), tallSlots * (1 - float64(r[0])/slots)})
				}
				cells = append(cells, spellRanges(ranges))
			}
			numbers.add(st.fraction(o.At), cells...)
		}
		return st.draw(s, tallSlots, value, made.Title+", "+s.name+": "+ownershipSummary(owned), numbers, func(p *plot) {
			p.inside(func() {
				for i := range bands {
					p.boxes(shade(i), fmt.Sprint("s", i), bands[i])
				}
			})
			p.edges(st.behind[s])
			if len(owned) == 0 {
				p.say("not recorded")
			}
		})
	})
	return made
}

// mostMaps is how many changes of ownership a chart shows. A resharding makes thousands, and a screen has no more pixels.
const mostMaps = 300

// sparse leaves out maps that another follows within less than a pixel, and those from after the end.
func sparse(maps []record.Ownership, end float64) []record.Ownership {
	var kept []record.Ownership
	for _, o := range maps {
		if o.At > end {
			break
		}
		if n := len(kept); n > 1 && o.At-kept[n-2].At < end/mostMaps {
			kept[n-1] = o
			continue
		}
		kept = append(kept, o)
	}
	return kept
}

// fewRanges is how many ranges of a shard are spelled.
const fewRanges = 3

// spellRanges says how many slots there are and which: "8,192: 0-8191".
func spellRanges(ranges [][2]uint16) string {
	n := 0
	var spelled []string
	for i, r := range ranges {
		n += int(r[1]) - int(r[0]) + 1
		switch {
		case i < fewRanges && r[0] == r[1]:
			spelled = append(spelled, fmt.Sprint(r[0]))
		case i < fewRanges:
			spelled = append(spelled, fmt.Sprintf("%d-%d", r[0], r[1]))
		case i == fewRanges:
			spelled = append(spelled, "…")
		}
	}
	if n == 0 {
		return "0"
	}
	return count(float64(n)) + ": " + strings.Join(spelled, ", ")
}

func ownershipSummary(owned []record.Ownership) string {
	if len(owned) == 0 {
		return "not recorded"
	}
	return fmt.Sprintf("in the beginning %s, in the end %s", sharesOf(owned[0]), sharesOf(owned[len(owned)-1]))
}

func sharesOf(o record.Ownership) string {
	var parts []string
	for _, s := range o.Shards {
		n, _, _ := strings.Cut(spellRanges(s.Ranges), ":")
		parts = append(parts, s.Shard+" "+n)
	}
	return cmp.Or(enumerate(parts), "no shard")
}

// lane is a kind of event in the chart of events.
type lane struct{ kind, word, class string }

var lanes = [...]lane{
	{record.Experiment, "experiment", "tested"},
	{record.Topology, "topology", "changed"},
	{record.Redirect, "redirect", "redirected"},
	{record.Refresh, "refresh", "refreshed"},
	{record.Failure, "error", "failed"},
}

// eventStrip has a line for each kind of event.
func (st *stage) eventStrip() strip {
	made := strip{Title: "Events", About: "what was done and what was noticed; the timeline below has every one in words"}
	made.Figures = st.each(func(s *series) figure {
		numbers := table{Columns: labelled("time", "kind", "event")}
		height := float64(tallLane * len(lanes))
		for _, e := range s.shown.Events {
			if len(numbers.Rows) < mostPoints {
				numbers.add(st.fraction(e.At), moment(e.At), e.Kind, e.Text)
			}
		}
		numbers.long(2)
		label := fmt.Sprintf("%s, %s: %d in all", made.Title, s.name, len(s.shown.Events))
		return st.draw(s, height, scale{high: 1}, label, numbers, func(p *plot) {
			for i, l := range lanes {
				y := tallLane * (float64(i) + 0.5)
				p.row(y, l.word)
				p.dots(l, y, s.shown.Events)
			}
		})
	})
	return made
}

// dots draws the events of one kind; each tells its text when pointed at. Of those within a pixel the first is drawn.
func (p *plot) dots(l lane, y float64, events []record.Event) {
	last := -1.0
	for _, e := range events {
		at := 100 * p.time.at(e.At)
		if e.Kind != l.kind || e.At < 0 || e.At > p.time.high || at-last < tightest {
			continue
		}
		last = at
		fmt.Fprintf(p, `<circle class="dot %s" cx="%s" cy="%s" r="4"><title>%s %s</title></circle>`, l.class, p.percent(e.At),
			pixels(y), moment(e.At), escape(e.Text))
	}
}
