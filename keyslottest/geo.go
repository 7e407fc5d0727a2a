package keyslottest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// place is a position in degrees. miniredis keeps places in the scores that a server would, but reads them a little beside.
type place struct{ longitude, latitude float64 }

const (
	maxLongitude, maxLatitude = 180, 85.05112878
	geoStep                   = 1 << 26 // parts of each axis
	earthRadius               = 6372797.560856
)

// score interleaves the bits of the two parts that p is in, the longitude's at the odd places.
func (p place) score() uint64 {
	part := func(degrees, most float64) uint64 { return uint64((degrees + most) / (2 * most) * geoStep) }
	x, y, score := part(p.longitude, maxLongitude), part(p.latitude, maxLatitude), uint64(0)
	for i := range 26 {
		score |= (x>>i&1)<<(2*i+1) | (y>>i&1)<<(2*i)
	}
	return score
}

// placeOf is the middle of what has this score.
func placeOf(score uint64) place {
	x, y := uint64(0), uint64(0)
	for i := range 26 {
		x |= (score >> (2*i + 1) & 1) << i
		y |= (score >> (2 * i) & 1) << i
	}
	middle := func(part uint64, most float64) float64 {
		// The conversions forbid to round once only, which gives other last digits on some processors.
		low := -most + float64(float64(part)/geoStep*(2*most))
		high := -most + float64(float64(part+1)/geoStep*(2*most))
		return min(max((low+high)/2, -most), most)
	}
	return place{middle(x, maxLongitude), middle(y, maxLatitude)}
}

// distance is in meters.
func (p place) distance(q place) float64 {
	radians := func(degrees float64) float64 { return degrees * (math.Pi / 180) }
	u := math.Sin(radians(q.latitude-p.latitude) / 2)
	v := math.Sin(radians(q.longitude-p.longitude) / 2)
	return 2 * earthRadius * math.Asin(math.Sqrt(u*u+math.Cos(radians(p.latitude))*math.Cos(radians(q.latitude))*v*v))
}

// meters are the units by their lengths.
var meters = map[string]float64{"M": 1, "KM": 1000, "FT": 0.3048, "MI": 1609.34}

// place is where a member of key is.
func (s *store) place(key, member string) (p place, ok bool) {
	score := s.ask("ZSCORE", key, member)
	n, err := strconv.ParseFloat(score.Str, 64)
	return placeOf(uint64(n)), score.Kind == resp.BulkString && err == nil
}

// addPlaces answers GEOADD, which on a server is a ZADD, with some of its options.
func addPlaces(s *store, out *replies, r request) bool {
	places := r.args[2:]
	for len(places) > 0 && hasWord([]string{"NX", "XX", "CH"}, places[0]) {
		places = places[1:]
	}
	options := r.args[2 : len(r.args)-len(places)]
	if len(places)%3 != 0 || hasWord(options, "NX") && hasWord(options, "XX") {
		out.error(errSyntax)
		return true
	}
	add := append([]string{"ZADD", r.args[1]}, options...)
	for ; len(places) > 0; places = places[3:] {
		longitude, err := strconv.ParseFloat(places[0], 64)
		latitude, err2 := strconv.ParseFloat(places[1], 64)
		switch {
		case err != nil || err2 != nil || math.IsNaN(longitude) || math.IsNaN(latitude):
			out.error(errNoFloat)
			return true
		case math.Abs(longitude) > maxLongitude || math.Abs(latitude) > maxLatitude:
			out.error(fmt.Sprintf("ERR invalid longitude,latitude pair %f,%f", longitude, latitude))
			return true
		}
		add = append(add, strconv.FormatUint(place{longitude, latitude}.score(), 10), places[2])
	}
	s.do(out, add...)
	return true
}

// findPlaces answers GEOPOS.
func findPlaces(s *store, out *replies, r request) bool {
	if s.ask("ZCARD", r.args[1]).Kind == resp.SimpleError {
		return false // WRONGTYPE
	}
	out.array(len(r.args) - 2)
	for _, member := range r.args[2:] {
		if p, ok := s.place(r.args[1], member); ok {
			out.place(p)
		} else {
			out.nullArray()
		}
	}
	return true
}

// place appends a position as numbers, which RESP2 knows as strings only.
func (r *replies) place(p place) {
	r.array(2)
	for _, degrees := range []float64{p.longitude, p.latitude} {
		text := strconv.FormatFloat(degrees, 'f', 17, 64)
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
		if r.resp3 {
			r.buf = append(append(append(r.buf, ','), text...), "\r\n"...)
		} else {
			r.bulk(text)
		}
	}
}

// measure answers GEODIST, but for what is refused and who is missing.
func measure(s *store, out *replies, r request) bool {
	from, ok := s.place(r.args[1], r.args[2])
	to, ok2 := s.place(r.args[1], r.args[3])
	unit := meters["M"]
	if len(r.args) > 4 {
		unit = meters[strings.ToUpper(r.args[4])]
	}
	if !ok || !ok2 || unit == 0 || len(r.args) > 5 {
		return false
	}
	out.bulk(fmt.Sprintf("%.4f", from.distance(to)/unit))
	return true
}

// searchPlaces answers GEOSEARCH and its elder forms: miniredis finds who is near, but rounds where they are, and takes
// other types for empty here and there.
func searchPlaces(s *store, out *replies, r request) bool {
	if kind := s.kind(r.args[1]); kind != "zset" && kind != "none" {
		out.error(errWrongType)
		return true
	}
	found := s.ask(r.args...)
	if found.Kind != resp.Array {
		out.buf = resp.AppendValue(out.buf, found, 2) // an error, or how many were stored
		return true
	}
	center, unit := s.center(r)
	out.array(len(found.Elems))
	for _, near := range found.Elems {
		if near.Kind != resp.Array { // of name, distance, hash and position, as far as they were asked for
			out.bulk(near.Str)
			continue
		}
		name := near.Elems[0].Str
		at, _ := s.place(r.args[1], name)
		out.array(len(near.Elems))
		out.bulk(name)
		for _, detail := range near.Elems[1:] {
			switch detail.Kind {
			case resp.BulkString:
				out.bulk(fmt.Sprintf("%.4f", center.distance(at)/unit))
			case resp.Array:
				out.place(at)
			default:
				out.int(detail.Int)
			}
		}
	}
	return true
}

// center is where a search starts, and the unit of its distances.
func (s *store) center(r request) (center place, unit float64) {
	position := func(at int) place {
		longitude, _ := strconv.ParseFloat(r.args[at], 64)
		latitude, _ := strconv.ParseFloat(r.args[at+1], 64)
		return place{longitude, latitude}
	}
	switch {
	case strings.HasPrefix(r.cmd.Name, "GEORADIUSBYMEMBER"): // key member radius unit
		center, _ = s.place(r.args[1], r.args[2])
		return center, meters[strings.ToUpper(r.args[4])]
	case strings.HasPrefix(r.cmd.Name, "GEORADIUS"): // key longitude latitude radius unit
		return position(2), meters[strings.ToUpper(r.args[5])]
	}
	for i := 2; i < len(r.args); i++ {
		switch strings.ToUpper(r.args[i]) {
		case "FROMMEMBER":
			center, _ = s.place(r.args[1], r.args[i+1])
			i++
		case "FROMLONLAT":
			center = position(i + 1)
			i += 2
		case "BYRADIUS": // radius unit
			unit = meters[strings.ToUpper(r.args[i+2])]
			i += 2
		case "BYBOX": // width height unit
			unit = meters[strings.ToUpper(r.args[i+3])]
			i += 3
		}
	}
	return center, unit
}
