package report

import (
	"math"
	"strconv"
	"strings"
)

const (
	nothing = "–"      // stands in a cell that has no value
	gap     = "\u00a0" // before a unit: no line ends there
)

// significant rounds to three digits.
func significant(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

// short spells a number with three digits and no exponent.
func short(v float64) string {
	return strconv.FormatFloat(significant(v), 'f', -1, 64)
}

// latency spells microseconds with the unit that suits them: "850 µs", "1.25 ms", "2 s".
func latency(us float64) string {
	switch us = significant(us); {
	case us < 1e3:
		return short(us) + gap + "µs"
	case us < 1e6:
		return short(us/1e3) + gap + "ms"
	}
	return short(us/1e6) + gap + "s"
}

// milliseconds spells microseconds for a column of milliseconds.
func milliseconds(us float64) string {
	decimals := 3
	switch ms := us / 1e3; {
	case ms >= 1000:
		return count(ms)
	case ms >= 100:
		decimals = 1
	case ms >= 10:
		decimals = 2
	}
	return strconv.FormatFloat(us/1e3, 'f', decimals, 64)
}

// rate spells a tick of operations per second: "500", "20k", "1.5M".
func rate(v float64) string {
	switch v = significant(v); {
	case v >= 1e6:
		return short(v/1e6) + "M"
	case v >= 1e4:
		return short(v/1e3) + "k"
	}
	return count(v)
}

// count spells a whole number with its thousands apart: 412,000.
func count(v float64) string {
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// share spells a part of a whole in percent, and says so where it is too small for that.
func share(part, whole float64) string {
	switch percent := 100 * part / whole; {
	case whole <= 0 || part <= 0:
		return "0" + gap + "%"
	case percent < 0.001:
		return "<" + gap + "0.001" + gap + "%"
	default:
		return short(percent) + gap + "%"
	}
}

// moment spells seconds of a run: "41.5 s".
func moment(s float64) string {
	return strconv.FormatFloat(math.Round(s*100)/100, 'f', -1, 64) + gap + "s"
}

// ceiling rounds up to two digits, for "stayed under".
func ceiling(v float64) float64 {
	if v <= 0 {
		return 0
	}
	step := math.Pow10(int(math.Floor(math.Log10(v))) - 1)
	return (math.Floor(v/step) + 1) * step
}

// median returns the middle of values, which it sorts; of an even number the lower, so that it is one that was measured.
func median(sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)/2]
}
