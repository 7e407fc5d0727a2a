package report

import (
	"fmt"
	"strings"
)

// color is one colour in two schemes, as #rrggbb.
type color struct{ name, light, dark string }

// faces are what colours lie on: the page, the area of a plot.
var faces = [...]color{
	{"page", "#ffffff", "#0f1318"},
	{"face", "#f6f8fa", "#171d24"},
}

// inks are the colours of text, readable on every face (contrast of 4.5 to 1).
var inks = [...]color{
	{"ink", "#1a1f26", "#e6e9ee"},
	{"muted", "#57606a", "#a2adb9"},
	{"name", "#7a4f00", "#f0c36d"},
	{"bad", "#b3201c", "#ff8b80"},
	{"link", "#0b5cad", "#7cb8f5"},
}

// hues tell clients from each other; the first four are apart for the colour-blind too. Each stands out from every face
// (contrast of 3 to 1).
var hues = [...]color{
	{"h0", "#0a69c4", "#3f94ea"},
	{"h1", "#c8500a", "#f08c3a"},
	{"h2", "#12937a", "#6fe3bd"},
	{"h3", "#4a1470", "#e3c2ff"},
	{"h4", "#8a7400", "#e6d04a"},
	{"h5", "#c2185b", "#ff7fb0"},
	{"h6", "#37474f", "#b7c4cc"},
	{"h7", "#5d4037", "#c9a898"},
}

// shades tell shards from each other, as hues do clients.
var shades = [...]color{
	{"s0", "#5457a6", "#8f93e8"},
	{"s1", "#b87a00", "#d99a2b"},
	{"s2", "#2a9189", "#7fd8cb"},
	{"s3", "#8c2f5b", "#b94f7c"},
	{"s4", "#5f6b78", "#9aa8b5"},
	{"s5", "#7a4a1e", "#b98a62"},
}

// steps are the percentiles, in their order. p95, which is looked at most, stands out most.
var steps = [...]color{
	{"p50", "#5f9a2e", "#7c9a2e"},
	{"p90", "#2c6fd0", "#4f8ff0"},
	{"p95", "#12235c", "#dbe6ff"},
	{"p99", "#c2259b", "#ff74c8"},
}

// signs are for what has a meaning of its own.
var signs = [...]color{
	{"failed", "#c62828", "#ff6f61"},
	{"redirected", "#94690a", "#d9a63a"},
	{"refreshed", "#00767f", "#4cc3cc"},
	{"changed", "#6a4bc4", "#b39bff"},
	{"tested", "#b07400", "#e0a838"},
}

// hue returns the name of the i-th hue; they begin again after the last.
func hue(i int) string { return hues[i%len(hues)].name }

// shade returns the name of the i-th shade.
func shade(i int) string { return shades[i%len(shades)].name }

// variables returns the palette as CSS: a custom property for each colour, by scheme.
func variables() string {
	var b strings.Builder
	for _, dark := range []bool{false, true} {
		if dark {
			b.WriteString("@media (prefers-color-scheme: dark) {\n")
		}
		b.WriteString(":root {")
		for _, group := range [][]color{faces[:], inks[:], hues[:], shades[:], steps[:], signs[:]} {
			for _, c := range group {
				fmt.Fprintf(&b, " --%s: %s;", c.name, c.in(dark))
			}
		}
		b.WriteString(" }\n")
		if dark {
			b.WriteString("}\n")
		}
	}
	return b.String()
}

func (c color) in(dark bool) string {
	if dark {
		return c.dark
	}
	return c.light
}
