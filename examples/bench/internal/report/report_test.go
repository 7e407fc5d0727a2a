package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// samples is where to leave pages to look at: go test ./internal/report -args -samples DIR
var samples = flag.String("samples", "", "a directory for pages and pictures of the sample record")

func TestLeaveSamplesToLookAt(t *testing.T) {
	if *samples == "" {
		t.Skip("for -samples")
	}
	six := append(slices.Clone(contenders), contenders[1], contenders[1])
	six[4].client, six[5].client = "goredis", "rueidis"
	for name, r := range map[string]record.Record{
		"six": sample(six...), "three": sample(contenders...), "one": sample(contenders[0]),
		"two":  sample(contenders[0], contenders[2]),
		"none": {Title: "Nothing yet"}, "hostile": hostile(), "odd": oddities()["one window"],
	} {
		require.NoError(t, os.WriteFile(filepath.Join(*samples, name+".html"), []byte(page(t, r)), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(*samples, name+".svg"), []byte(picture(t, r)), 0o644))
	}
}

func TestPageHoldsAllOfTheRecord(t *testing.T) {
	r := sample(contenders...)
	text := parse(t, page(t, r)).text
	wanted := []string{
		r.Title, r.Command, "21 November 2026", r.Server.Version, r.Server.Where, r.Server.Endpoint,
		r.Machine.CPU, "2 CPUs", "8 GiB", "after 5\u00a0s of warm-up", r.Machine.OS, r.Machine.Go, "3 repetitions",
		"keyslot per-call",
	}
	for _, s := range r.Settings {
		wanted = append(wanted, s.Name, s.Value)
	}
	for _, run := range r.Runs {
		wanted = append(wanted, run.Client, run.Version)
		for _, e := range run.Errors {
			wanted = append(wanted, e.Text)
		}
		for _, e := range run.Events {
			wanted = append(wanted, e.Text)
		}
		for _, p := range run.Phases {
			wanted = append(wanted, p.Name)
		}
	}
	for _, part := range wanted {
		require.Contains(t, text, part)
	}
}

func TestEveryRunHasEveryEventOnItsTimeline(t *testing.T) {
	r := sample(contenders[1:3]...)
	lines := parse(t, page(t, r)).all("details", "timeline")
	require.Len(t, lines, len(r.Runs))
	total := 0
	for _, line := range lines {
		total += len(line.all("tr", "")) - 1 // without the head
	}
	events := 0
	for _, run := range r.Runs {
		events += len(run.Events)
	}
	require.Equal(t, events, total)
}

func TestChartsCanBeReadWithoutSeeingThem(t *testing.T) {
	for name, r := range map[string]record.Record{"several": sample(contenders[:2]...), "one": sample(contenders[0])} {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, page(t, r))
			figures := doc.all("figure", "")
			require.GreaterOrEqual(t, len(figures), 8)
			for _, figure := range figures {
				plots := figure.all("svg", "plot")
				require.Len(t, plots, 1)
				require.Equal(t, "img", plots[0].attrs["role"])
				require.Greater(t, len(plots[0].attrs["aria-label"]), 20)
				require.NotEmpty(t, plots[0].all("text", "tick"), "an axis without words")
				numbers := figure.all("details", "numbers")
				require.Len(t, numbers, 1)
				require.NotEmpty(t, numbers[0].all("td", ""), plots[0].attrs["aria-label"])
			}
			for _, strip := range doc.all("section", "strip") {
				require.Len(t, append(strip.all("h3", ""), strip.all("h2", "")...), 1, "a chart without a title")
				require.Len(t, append(strip.all("span", "about"), strip.all("p", "about")...), 1, "an axis without a name")
			}
		})
	}
}

func TestWhatHappenedIsMarkedInEveryChartOfTime(t *testing.T) {
	doc := parse(t, page(t, sample(contenders[:2]...)))
	timed := 0
	for _, figure := range doc.all("figure", "") {
		if figure.attrs["data-time"] == "" {
			continue
		}
		timed++
		spans := figure.all("rect", "span")
		require.Len(t, spans, 2)
		require.Equal(t, []string{"33.33%", "15%"}, []string{spans[0].attrs["x"], spans[0].attrs["width"]},
			"18 of 120 s from the 40th")
		var names []string
		for _, name := range figure.all("text", "name") {
			names = append(names, name.text)
		}
		require.Equal(t, []string{"scale-out", "failover"}, names)
	}
	require.Equal(t, 2+8*2, timed)
}

func TestPageNeedsNothingElse(t *testing.T) {
	text := page(t, sample(contenders[0]))
	doc := parse(t, text)
	for _, name := range []string{"link", "img", "iframe", "object", "base"} {
		require.Empty(t, doc.all(name, ""))
	}
	require.NotContains(t, text, "url(")
	require.NotContains(t, text, "@import")

	var policy string
	for _, meta := range doc.all("meta", "") {
		if meta.attrs["http-equiv"] == "Content-Security-Policy" {
			policy = meta.attrs["content"]
		}
	}
	require.Contains(t, policy, "default-src 'none'")
	for _, name := range []string{"style", "script"} {
		inside := doc.all(name, "")
		require.Len(t, inside, 1)
		sum := sha256.Sum256([]byte(inside[0].text))
		require.Contains(t, policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'", "the browser would not use this %s",
			name)
	}
}

func TestSameRecordSamePage(t *testing.T) {
	r := sample(contenders[:2]...)
	first, drawn := page(t, r), picture(t, r)
	require.Equal(t, first, page(t, r))
	require.Equal(t, drawn, picture(t, r))
	require.Equal(t, sample(contenders[:2]...), r, "the record is the caller's")
}

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	full := errors.New("disk full")
	require.ErrorIs(t, write(failing{full}), full)
	require.ErrorIs(t, chart(failing{full}), full)
}

func TestPicture(t *testing.T) {
	text := picture(t, sample(contenders...))
	doc := parse(t, text)
	root := doc.children[0]
	require.Equal(t, "http://www.w3.org/2000/svg", root.attrs["xmlns"])
	require.Contains(t, root.attrs["aria-label"], "p95 of reads")
	require.Contains(t, root.all("style", "")[0].text, "prefers-color-scheme: dark")
	require.NotContains(t, text, "<script")
	require.NotEmpty(t, root.all("rect", "page"), "GitHub's page would shine through")
	for _, part := range []string{"p95 of reads", "p95 of writes", "keyslot", "keyslot per-call", "goredis", "rueidis", "scale-out",
		"failover"} {
		require.Contains(t, root.text, part)
	}
	require.Len(t, root.all("path", "p95-of"), 2*len(contenders))
	require.Less(t, strings.Count(text, ""), 100_000)
}
