package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// table is what is printed, in Markdown: the READMEs show it as it is.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)}
	fmt.Fprintln(t.w, "\n| cluster\t| client\t| dials\t| TLS handshakes\t| first reply\t| x keyslot\t| goroutines\t| program\t|")
	fmt.Fprintln(t.w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	return t
}

// add writes the rows of one setup; the first one is what the others are compared with.
func (t table) add(name string, rows []measured) {
	for _, row := range rows {
		m := row.median
		fmt.Fprintf(t.w, "| %s\t| %s\t| %d\t| %d\t| %.2f ms\t| %.1f\t| %d\t| %.1f MB\t|\n", name, row.client, m.dials, m.Handshakes,
			float64(m.FirstReply)/float64(time.Millisecond), float64(m.FirstReply)/float64(rows[0].median.FirstReply),
			m.Goroutines, float64(row.size)/1e6)
	}
}

func (t table) flush() error { return t.w.Flush() }
