package report

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestColorsStandOutFromWhatTheyLieOn(t *testing.T) {
	for _, dark := range []bool{false, true} {
		for _, face := range faces {
			for _, c := range inks {
				require.GreaterOrEqual(t, contrast(c.in(dark), face.in(dark)), 4.5, "%s on %s, dark %v (WCAG 2.2, 1.4.3)", c.name,
					face.name, dark)
			}
			for _, group := range [][]color{hues[:], shades[:], steps[:], signs[:]} {
				for _, c := range group {
					require.GreaterOrEqual(t, contrast(c.in(dark), face.in(dark)), 3.0, "%s on %s, dark %v (WCAG 2.2, 1.4.11)",
						c.name, face.name, dark)
				}
			}
		}
	}
}

// visions are how colours look, by the matrices of Machado, Oliveira and Fernandes (2009) at full severity, on linear RGB.
var visions = map[string][9]float64{
	"usual":        {1, 0, 0, 0, 1, 0, 0, 0, 1},
	"protanopia":   {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
	"deuteranopia": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
	"tritanopia":   {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
}

// apart is how different, in OKLab, two colours of one chart must look to everybody; a just noticeable
// difference is about 0.02.
const apart = 0.06

func TestColorsOfAChartDifferForTheColorBlindToo(t *testing.T) {
	for name, group := range map[string][]color{"hues": hues[:4], "shades": shades[:4], "percentiles": steps[:]} {
		for vision, m := range visions {
			for _, dark := range []bool{false, true} {
				for i, a := range group {
					for _, b := range group[:i] {
						t.Run(fmt.Sprint(name, vision, dark, a.name, b.name), func(t *testing.T) {
							require.GreaterOrEqual(t, distance(seen(a.in(dark), m), seen(b.in(dark), m)), apart)
						})
					}
				}
			}
		}
	}
}

// linearRGB returns the light of #rrggbb.
func linearRGB(hex string) [3]float64 {
	var rgb [3]float64
	for i := range rgb {
		n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		v := float64(n) / 255
		if v <= 0.04045 {
			rgb[i] = v / 12.92
			continue
		}
		rgb[i] = math.Pow((v+0.055)/1.055, 2.4)
	}
	return rgb
}

// contrast is the ratio of luminances as WCAG defines it.
func contrast(a, b string) float64 {
	light := func(hex string) float64 {
		c := linearRGB(hex)
		return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] + 0.05
	}
	la, lb := light(a), light(b)
	return max(la, lb) / min(la, lb)
}

// seen returns a colour in OKLab as somebody with that vision sees it.
func seen(hex string, m [9]float64) [3]float64 {
	c := linearRGB(hex)
	var r [3]float64
	for i := range r {
		r[i] = clamp(m[3*i]*c[0]+m[3*i+1]*c[1]+m[3*i+2]*c[2], 0, 1)
	}
	l := math.Cbrt(0.4122214708*r[0] + 0.5363325363*r[1] + 0.0514459929*r[2])
	a := math.Cbrt(0.2119034982*r[0] + 0.6806995451*r[1] + 0.1073969566*r[2])
	s := math.Cbrt(0.0883024619*r[0] + 0.2817188376*r[1] + 0.6299787005*r[2])
	return [3]float64{
		0.2104542553*l + 0.7936177850*a - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*a + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*a - 0.8086757660*s,
	}
}

func distance(a, b [3]float64) float64 {
	return math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2])
}
