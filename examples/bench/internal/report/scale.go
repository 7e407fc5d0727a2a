package report

import "math"

// scale maps values to a length between 0 and 1, and has ticks at round numbers.
type scale struct {
	low, high   float64
	logarithmic bool
	ticks       []float64
	spell       func(float64) string
}

// at returns how far up v is; what lies beyond an end is drawn at that end.
func (s scale) at(v float64) float64 {
	if !s.logarithmic {
		return clamp((v-s.low)/(s.high-s.low), 0, 1)
	}
	v = clamp(v, s.low, s.high)
	return math.Log(v/s.low) / math.Log(s.high/s.low)
}

func clamp(v, low, high float64) float64 { return max(low, min(v, high)) }

// Bounds of a logarithmic scale: a nanosecond is less than any clock here tells, and six decades below the highest
// value everything is flat.
const (
	leastLogarithm = 1e-3
	mostDecades    = 1e6
	manyDecades    = 3 // from here on only powers of ten are ticks
	mostTicks      = 8
)

// spreadForLogarithm is how many times the least value the highest has to be before a linear scale presses the lower
// lines together.
const spreadForLogarithm = 12

// latencyScale returns a scale in microseconds for values, some of which may be 0: nothing measured.
func latencyScale(values []float64) scale {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	var s scale
	if high > low*spreadForLogarithm {
		s = logarithmic(low, high)
	} else {
		s = linear(high, manyTicks)
	}
	s.spell = latency
	return s
}

// How many steps a linear scale may have: in a plot that is tall enough for them, and in a low one.
const (
	manyTicks = 5
	fewTicks  = 2
)

// linear returns a scale from 0 to a round number at or above high.
func linear(high, steps float64) scale {
	if high <= 0 {
		return scale{high: 1, ticks: []float64{0, 1}, spell: short}
	}
	step := roundUp(high / steps)
	n := math.Ceil(high/step - 1e-9)
	s := scale{high: n * step, spell: short}
	for i := 0.0; i <= n; i++ {
		s.ticks = append(s.ticks, i*step)
	}
	return s
}

// whole returns a linear scale of counts: no tick is between two whole numbers.
func whole(high, steps float64) scale {
	s := linear(high, steps)
	if high > 0 && s.ticks[1] < 1 {
		s = scale{high: max(1, math.Ceil(high))}
		for tick := 0.0; tick <= s.high; tick++ {
			s.ticks = append(s.ticks, tick)
		}
	}
	s.spell = rate
	return s
}

// roundUp returns the least of 1, 2, 5 times a power of ten that is no less than v.
func roundUp(v float64) float64 {
	decade := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, m := range []float64{1, 2, 5} {
		if m*decade >= v*(1-1e-9) {
			return m * decade
		}
	}
	return 10 * decade
}

// logarithmic returns a scale between ticks at 1, 2, 5, 10, 20 ..., or at powers of ten where those would be many.
func logarithmic(low, high float64) scale {
	high = max(high, leastLogarithm)
	low = max(low, leastLogarithm, high/mostDecades)
	first, last := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
	mantissas := []float64{1, 2, 5}
	if last-first > manyDecades {
		mantissas = mantissas[:1]
	}
	every := (last-first)/mostTicks + 1
	var ticks []float64
	for exponent := first; exponent <= last+every; exponent += every {
		for _, m := range mantissas {
			ticks = append(ticks, m*math.Pow10(exponent))
		}
	}
	for len(ticks) > 2 && ticks[1] <= low {
		ticks = ticks[1:]
	}
	for len(ticks) > 2 && ticks[len(ticks)-2] >= high {
		ticks = ticks[:len(ticks)-1]
	}
	return scale{low: ticks[0], high: ticks[len(ticks)-1], logarithmic: true, ticks: ticks, spell: short}
}

// timeSteps are the distances between ticks that people count time in, in seconds.
var timeSteps = [...]float64{1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 4 * 3600, 12 * 3600, 24 * 3600}

// mostTimeTicks leaves each label 45 pixels on the narrowest screen.
const mostTimeTicks = 5

// timeScale returns the scale of a run that is so many seconds long. It ends with the run, not at a tick.
func timeScale(seconds float64) scale {
	step := roundUp(seconds / mostTimeTicks)
	if step >= 1 {
		for _, s := range timeSteps {
			if step = s; seconds/s <= mostTimeTicks {
				break
			}
		}
	}
	if seconds/step > mostTimeTicks {
		step = roundUp(seconds/mostTimeTicks/3600) * 3600
	}
	s := scale{high: seconds, spell: func(t float64) string { return spellTime(t, step) }}
	for i := 0.0; i*step <= seconds*(1+1e-9); i++ {
		s.ticks = append(s.ticks, i*step)
	}
	return s
}

// spellTime uses one unit for all ticks of an axis.
func spellTime(t, step float64) string {
	switch {
	case step < 60:
		return short(t) + gap + "s"
	case step < 3600:
		return short(t/60) + gap + "min"
	}
	return short(t/3600) + gap + "h"
}
