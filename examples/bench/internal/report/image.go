package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// The picture in pixels, and where its plots are.
const (
	imageWidth  = 880.0
	imageLeft   = 78.0
	imageRight  = 30.0
	imageTop    = 62.0 // below the title
	imagePlot   = 150.0
	imageBelow  = 26.0 // the words of the time axis
	imageHead   = 26.0 // the title of a plot
	imageMargin = 24.0
	legendTall  = 22.0
	letterWide  = 6.7 // of the legend, with room to spare
	imageLetter = 0.9 // of a name above a plot, in percent of it
)

// Chart writes p95 of reads and writes over time, a line for each client, as an SVG file: for a README, on light and on
// dark pages. It returns the errors of w, does not change r, and takes whatever r holds.
func Chart(w io.Writer, r record.Record) error {
	r = clean(r)
	all := group(r.Runs)
	st := newStage(all)
	legend, legendRows := imageLegend(all)
	behind := st.together(imageLetter)
	names := nameTall * float64(behind.tall())
	top := imageTop + legendTall*float64(legendRows)
	each := imageHead + names + imagePlot + imageBelow
	height := top + float64(len(kinds))*each + imageMargin

	var b strings.Builder
	lead, rest := finding(all)
	title := shortenTo(cmp.Or(r.Title, "Benchmark"), 90)
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-label="%s">`,
		pixels(imageWidth), pixels(height), pixels(imageWidth), pixels(height), escape(strings.TrimSpace(title+". "+lead+" "+rest)))
	fmt.Fprintf(&b, "<style>%s</style>", variables()+chartStyle) // ours, and without "<" and "&"
	fmt.Fprintf(&b, `<rect class="page" width="%s" height="%s" rx="8"/>`, pixels(imageWidth), pixels(height))
	fmt.Fprintf(&b, `<text class="title" x="%s" y="36">%s</text>`, pixels(imageMargin), escape(title))
	b.WriteString(legend)
	for i, k := range kinds {
		at := top + float64(i)*each
		fmt.Fprintf(&b, `<text class="heading" x="%s" y="%s">p95 of %s%s</text>`, pixels(imageMargin), pixels(at+10), k.name,
			logarithmically(st.p95))
		p := &plot{height: imagePlot, time: st.time, value: st.p95}
		st.overlay95(p, k, behind)
		fmt.Fprintf(&b, `<svg x="%s" y="%s" width="%s" height="%s" overflow="visible">%s</svg>`,
			pixels(imageLeft), pixels(at+imageHead+names), pixels(imageWidth-imageLeft-imageRight), pixels(imagePlot), p.String())
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// imageLegend returns the legend below the title, and how many rows it takes.
func imageLegend(all []*series) (drawn string, rows int) {
	var b strings.Builder
	x, y := imageMargin, imageTop
	for _, s := range all {
		name := shorten(s.name)
		wide := 44 + letterWide*float64(len([]rune(name)))
		if x > imageMargin && x+wide > imageWidth-imageMargin {
			x, y = imageMargin, y+legendTall
		}
		fmt.Fprintf(&b, `<line class="line %s" x1="%s" x2="%s" y1="%s" y2="%s"/>`, "p95-of "+s.class(), pixels(x), pixels(x+24),
			pixels(y), pixels(y))
		fmt.Fprintf(&b, `<text class="label" x="%s" y="%s" dy=".33em">%s</text>`, pixels(x+31), pixels(y), escape(name))
		x += wide
		rows = int((y-imageTop)/legendTall) + 1
	}
	return b.String(), rows
}
