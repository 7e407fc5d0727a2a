package command

import "github.com/keyslot-go/keyslot/internal/resp"

// GeoPoint is a place on earth, in degrees.
type GeoPoint struct{ Longitude, Latitude float64 }

// GeoLocation is a member of a sorted set, and where it is, in degrees.
type GeoLocation struct {
	Member              string
	Longitude, Latitude float64
}

func (l GeoLocation) encode(c *Call) {
	c.Request.ArgFloat(l.Longitude)
	c.Request.ArgFloat(l.Latitude)
	c.Request.Arg(l.Member)
}

// GeoMatch is what GeoSearchWith found.
type GeoMatch struct {
	GeoLocation
	Distance float64 // from where the search began, in the unit of its area
	Hash     int64   // the member's score, of 52 bits
}

// GeoUnit is a unit of length. The zero value is Meters.
type GeoUnit string

// The units that the servers know.
const (
	Meters     GeoUnit = "m"
	Kilometers GeoUnit = "km"
	Feet       GeoUnit = "ft"
	Miles      GeoUnit = "mi"
)

func (u GeoUnit) encode(c *Call) {
	if u == "" {
		u = Meters
	}
	c.Request.Arg(string(u))
}

// GeoFrom is where a search begins: FromMember or FromLonLat.
type GeoFrom struct {
	point  GeoPoint
	member string
	byName bool
}

// FromMember begins a search where a member of the same sorted set is.
func FromMember(member string) GeoFrom { return GeoFrom{member: member, byName: true} }

// FromLonLat begins a search at a place, in degrees.
func FromLonLat(longitude, latitude float64) GeoFrom {
	return GeoFrom{point: GeoPoint{longitude, latitude}}
}

func (f GeoFrom) encode(c *Call) {
	if f.byName {
		c.Request.Arg("FROMMEMBER")
		c.Request.Arg(f.member)
		return
	}
	c.Request.Arg("FROMLONLAT")
	c.Request.ArgFloat(f.point.Longitude)
	c.Request.ArgFloat(f.point.Latitude)
}

// GeoArea is what a search covers: ByRadius or ByBox.
type GeoArea struct {
	width, height float64 // of a box; a radius is a width
	box           bool
	unit          GeoUnit
}

// ByRadius covers a circle around where the search begins.
func ByRadius(radius float64, unit GeoUnit) GeoArea { return GeoArea{width: radius, unit: unit} }

// ByBox covers a rectangle, parallel to the equator, with the search's beginning in its middle.
func ByBox(width, height float64, unit GeoUnit) GeoArea { return GeoArea{width, height, true, unit} }

func (a GeoArea) encode(c *Call) {
	if a.box {
		c.Request.Arg("BYBOX")
		c.Request.ArgFloat(a.width)
		c.Request.ArgFloat(a.height)
	} else {
		c.Request.Arg("BYRADIUS")
		c.Request.ArgFloat(a.width)
	}
	a.unit.encode(c)
}

func optionalPoints(c *Call, p *packer) ([]Optional[GeoPoint], error) {
	return list(c, p, "an array of positions", optional(pointOf))
}

// pointOf reads [longitude, latitude].
func pointOf(frame []byte, _ *packer) (GeoPoint, bool) {
	elems, ok := resp.Open(frame)
	if !ok || elems.Left() != 2 {
		return GeoPoint{}, false
	}
	longitude, lonOK := next(&elems, nil, numberOf)
	latitude, latOK := next(&elems, nil, numberOf)
	return GeoPoint{longitude, latitude}, lonOK && latOK
}

func geoMatches(c *Call, p *packer) ([]GeoMatch, error) {
	return list(c, p, "an array of places", matchOf)
}

// matchOf reads [member, distance, hash, [longitude, latitude]].
func matchOf(frame []byte, p *packer) (m GeoMatch, ok bool) {
	elems, ok := resp.Open(frame)
	if !ok || elems.Left() != 4 {
		return m, false
	}
	var memberOK, distanceOK, hashOK bool
	m.Member, memberOK = next(&elems, p, textOf)
	m.Distance, distanceOK = next(&elems, p, numberOf)
	m.Hash, hashOK = next(&elems, p, integerOf)
	point, ok := next(&elems, p, pointOf)
	m.Longitude, m.Latitude = point.Longitude, point.Latitude
	return m, ok && memberOK && distanceOK && hashOK
}
