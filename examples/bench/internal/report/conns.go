package report

import (
	"fmt"
	"html/template"
)

// tallPair is the height of one comparison, in pixels.
const tallPair = 44.0

// connsFigure compares connections reused with a new one for each call: two dots for each client and kind, and how many
// times the one is the other. It has no rows where nothing was run both ways.
func connsFigure(all []*series) figure {
	numbers := table{Columns: columns("client", "p95 reused, ms", "p95 new for each call, ms", "times")}
	var shown []pair
	var values []float64
	for _, one := range pairs(all) {
		if one.reused > 0 && one.fresh > 0 {
			shown = append(shown, one)
			values = append(values, one.reused, one.fresh)
			numbers.add("", one.client+", "+one.kind, milliseconds(one.reused), milliseconds(one.fresh),
				short(one.fresh/one.reused))
		}
	}
	if len(shown) == 0 {
		return figure{}
	}
	across := latencyScale(values)
	p := &plot{height: tallPair * float64(len(shown)), time: across}
	p.open("p95 with connections reused and with a new one for each call. " + reuseFound(all))
	p.frame()
	for i, one := range shown {
		top := tallPair * float64(i)
		y := top + tallPair*0.68
		from, to := p.percent(one.reused), p.percent(one.fresh)
		if i > 0 {
			fmt.Fprintf(p, `<line class="grid" x1="0" x2="100%%" y1="%s" y2="%s"/>`, pixels(top), pixels(top))
		}
		fmt.Fprintf(p, `<text class="label" x="8" y="%s">%s, %s</text>`, pixels(top+17), escape(shorten(one.client)), one.kind)
		fmt.Fprintf(p,
			`<text class="label" x="100%%" dx="-8" y="%s" text-anchor="end">%s → %s, <tspan class="times">× %s</tspan></text>`,
			pixels(top+17), latency(one.reused), latency(one.fresh), short(one.fresh/one.reused))
		fmt.Fprintf(p, `<line class="bar %s" x1="%s" x2="%s" y1="%s" y2="%s"/>`, one.hue, from, to, pixels(y), pixels(y))
		fmt.Fprintf(p, `<circle class="dot %s" cx="%s" cy="%s" r="6"><title>reused: %s</title></circle>`, one.hue, from, pixels(y),
			latency(one.reused))
		fmt.Fprintf(p, `<circle class="ring %s" cx="%s" cy="%s" r="6"><title>new for each call: %s</title></circle>`, one.hue, to,
			pixels(y), latency(one.fresh))
	}
	p.close()
	return figure{Picture: template.HTML(p.String()), Numbers: numbers} // made of numbers, our own words and escaped ones
}
