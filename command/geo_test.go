package command_test

import (
	"testing"

	"github.com/keyslot-go/keyslot/command"
)

// The replies are those of redis-server 7.0.15 and valkey-server 8.0.1: distances stay strings in RESP3, coordinates do not.
const (
	palermo2 = "*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n"
	palermo3 = "*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n"
)

func TestPlacesAreAddedAndRead(t *testing.T) {
	at := command.GeoPoint{Longitude: 13.36138933897018433, Latitude: 38.11555639549629859}
	two := []command.GeoLocation{{Member: "Palermo", Longitude: 13.5, Latitude: 38}, {Member: "Catania", Longitude: 15.087269, Latitude: -37.5}}
	checkExchanges(t, []exchange{
		{"GEOADD g 13.5 38 Palermo 15.087269 -37.5 Catania", func(c command.Commands) (any, error) { return c.GeoAdd(ctx, "g", two) }, int64(2), in(":2\r\n")},
		{"GEOADD g NX 13.5 38 Palermo", func(c command.Commands) (any, error) { return c.GeoAdd(ctx, "g", two[:1], command.IfAbsent) }, int64(0), in(":0\r\n")},
		{"GEOADD g XX CH 13.5 38 Palermo", func(c command.Commands) (any, error) { return c.GeoAddCh(ctx, "g", two[:1], command.IfPresent) }, int64(1), in(":1\r\n")},
		{"GEODIST g a b km", func(c command.Commands) (any, error) { return c.GeoDist(ctx, "g", "a", "b", command.Kilometers) }, 166.2742, in("$8\r\n166.2742\r\n")},
		{"GEODIST g a none m", func(c command.Commands) (any, error) { return c.GeoDist(ctx, "g", "a", "none", "") }, command.Nil, in(null2, null3)},
		{"GEOHASH g a none", func(c command.Commands) (any, error) { return c.GeoHash(ctx, "g", "a", "none") },
			[]command.Optional[string]{{Value: "sqc8b49rny0", OK: true}, {}}, in("*2\r\n$11\r\nsqc8b49rny0\r\n$-1\r\n", "*2\r\n$11\r\nsqc8b49rny0\r\n_\r\n")},
		{"GEOPOS g a none", func(c command.Commands) (any, error) { return c.GeoPos(ctx, "g", "a", "none") },
			[]command.Optional[command.GeoPoint]{{Value: at, OK: true}, {}}, in("*2\r\n"+palermo2+"*-1\r\n", "*2\r\n"+palermo3+"_\r\n")},
	})
}

func TestPlacesAreFound(t *testing.T) {
	const head = "*1\r\n*4\r\n$7\r\nPalermo\r\n$8\r\n166.2742\r\n:3479099956230698\r\n"
	matches := []command.GeoMatch{{
		GeoLocation: command.GeoLocation{Member: "Palermo", Longitude: 13.36138933897018433, Latitude: 38.11555639549629859},
		Distance:    166.2742, Hash: 3479099956230698,
	}}
	around, box := command.FromLonLat(15, -37.5), command.ByBox(400, 200.5, command.Miles)
	checkExchanges(t, []exchange{
		{"GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km", func(c command.Commands) (any, error) {
			return c.GeoSearch(ctx, "g", command.FromMember("Palermo"), command.ByRadius(200, command.Kilometers))
		}, []string{"a", "b"}, in(members)},
		{"GEOSEARCH g FROMLONLAT 15 -37.5 BYBOX 400 200.5 mi DESC COUNT 3", func(c command.Commands) (any, error) {
			return c.GeoSearch(ctx, "g", around, box, command.Desc, command.Count(3))
		}, []string{}, in("*0\r\n")},
		{"GEOSEARCH g FROMLONLAT 15 -37.5 BYRADIUS 1 ft ASC COUNT 3 ANY WITHCOORD WITHDIST WITHHASH", func(c command.Commands) (any, error) {
			return c.GeoSearchWith(ctx, "g", around, command.ByRadius(1, command.Feet), command.Asc, command.CountAny(3))
		}, matches, in(head+palermo2, head+palermo3)},
		{"GEOSEARCHSTORE d g FROMLONLAT 15 -37.5 BYBOX 400 200.5 mi STOREDIST ASC COUNT 1", func(c command.Commands) (any, error) {
			return c.GeoSearchStore(ctx, "d", "g", around, box, command.StoreDist, command.Asc, command.Count(1))
		}, int64(1), in(":1\r\n")},
		{"GEOSEARCHSTORE d g FROMLONLAT 15 -37.5 BYBOX 400 200.5 mi DESC COUNT 1 ANY", func(c command.Commands) (any, error) {
			return c.GeoSearchStore(ctx, "d", "g", around, box, command.Desc, command.CountAny(1))
		}, int64(1), in(":1\r\n")},
	})
}
