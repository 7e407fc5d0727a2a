package keyslottest_test

// typeSituations are about what the types of values are, and how they are counted, added to and looked at.
var typeSituations = []situation{
	{"members are added under a condition", `
		source: ZADD {b}z 5 a
		source: ZADD {b}z GT INCR -1 a
		source: ZADD {b}z GT INCR 0 a
		source: ZADD {b}z GT INCR 1 a
		source: ZADD {b}z LT INCR 1 a
		source: ZADD {b}z lt incr -2 a
		source: ZADD {b}z XX GT CH INCR -2 a
		source: ZADD {b}z XX GT INCR 2 a
		source: ZADD {b}z GT INCR 2 b
		source: ZADD {b}z XX LT INCR 2 none
		source: ZADD {b}z GT INCR 2 a 3 b
		source: ZADD {b}z GT LT INCR 2 a
		source: ZADD {b}z NX GT INCR 2 a
		source: ZADD {b}z GT INCR x a
		source: SET {b}s x
		source: ZADD {b}s GT INCR 1 a
		source: ZADD {b}none XX INCR 1 a
		source: EXISTS {b}none
		source: ZRANGE {b}z 0 -1 WITHSCORES`},
	{"a HyperLogLog", `
		source: PFADD {b}1 a b c
		source: PFADD {b}2 c d
		source: PFCOUNT {b}1 {b}2
		source: PFCOUNT {b}1 {b}1
		source: PFCOUNT {b}1 {b}none
		source: PFCOUNT {b}none
		source: PFCOUNT {b}none {b}nothing
		source: EXISTS {b}none
		source: TYPE {b}1
		source: PFADD {b}3
		source: PFADD {b}3
		source: TYPE {b}3
		source: PFCOUNT {b}3
		source: PFADD {b}1
		source: SCAN 0 COUNT 100000 MATCH *1 TYPE string
		source: SCAN 0 COUNT 100000 TYPE hll
		source: RPUSH {b}l x
		source: PFADD {b}l
		source: PFCOUNT {b}l {b}1
		source: PFCOUNT {b}1 {b}l
		source: SET {b}s x
		source: PFADD {b}s
		source: PFADD {b}s a
		source: PFCOUNT {b}1 {b}s
		source: PFMERGE {b}4 {b}1 {b}2
		source: PFMERGE {b}4 {b}1 {b}s
		source: PFMERGE {b}l {b}1
		source: PFMERGE {b}5
		source: PFCOUNT {b}4
		source: PFCOUNT {b}1 {b}2
		source: DBSIZE
		source: MULTI
		source: PFCOUNT {b}1 {b}2
		source: EXEC
		source: EVAL return~redis.call('PFCOUNT',KEYS[1],KEYS[2]) 2 {b}1 {b}2`},
	{"increments that go too far", `
		source: HSET {b}h a 9223372036854775807 b -9223372036854775808 f 1 x y
		source: HINCRBY {b}h a 1
		source: HINCRBY {b}h b -1
		source: HINCRBY {b}h b 9223372036854775807
		source: HINCRBY {b}h x 1
		source: HINCRBY {b}h f 1.5
		source: HGET {b}h a
		source: HINCRBYFLOAT {b}h f -inf
		source: HINCRBYFLOAT {b}h f inf
		source: HINCRBYFLOAT {b}h f nan
		source: HINCRBYFLOAT {b}h x 1
		source: HINCRBYFLOAT {b}h none inf
		source: HINCRBYFLOAT {b}none f inf
		source: HGET {b}h f
		source: HSET {b}h f inf g nan
		source: HINCRBYFLOAT {b}h f 1
		source: HINCRBYFLOAT {b}h g 1
		source: SET {b}k inf
		source: INCRBYFLOAT {b}k 1
		source: INCRBYFLOAT {b}k -inf
		source: SET {b}k nan
		source: INCRBYFLOAT {b}k 1
		source: INCRBYFLOAT {b}k inf
		source: SET {b}k 1
		source: INCRBYFLOAT {b}k 1.5
		source: INCRBYFLOAT {b}none 2
		source: HINCRBYFLOAT {b}h a 1
		source: HINCRBY {b}h none 5
		source: DEL {b}none
		source: SET {b}k 1
		source: INCRBYFLOAT {b}k inf
		source: INCRBYFLOAT {b}k -Infinity
		source: INCRBYFLOAT {b}k nan
		source: INCRBYFLOAT {b}none inf
		source: GET {b}k
		source: EXISTS {b}none
		source: INCRBYFLOAT {b}h inf
		source: HINCRBYFLOAT {b}k f inf
		source: HINCRBY {b}k f 1
		source: SET {b}k 9223372036854775807
		source: INCR {b}k
		source: INCRBY {b}k 1
		source: DECRBY {b}k -1
		source: DECRBY {b}k -9223372036854775808
		source: SET {b}k -9223372036854775808
		source: DECR {b}k
		source: GET {b}k`},
	{"bits are counted in bytes or in bits", `
		source: SET {b}k foobar
		source: BITCOUNT {b}k 0 -1 BIT
		source: BITCOUNT {b}k 0 -1 BYTE
		source: BITCOUNT {b}k 5 30 BIT
		source: BITCOUNT {b}k 5 30 bit
		source: BITCOUNT {b}k 1 1 byte
		source: BITCOUNT {b}k -10 -3 BIT
		source: BITCOUNT {b}k -1000 1000 BIT
		source: BITCOUNT {b}k 30 5 BIT
		source: BITCOUNT {b}k -3 -10 BIT
		source: BITCOUNT {b}k 7 8 BIT
		source: BITCOUNT {b}k 9 9 BIT
		source: BITCOUNT {b}k 0
		source: BITCOUNT {b}k 0 -1 NOSUCH
		source: BITCOUNT {b}k 0 -1 BIT BIT
		source: BITCOUNT {b}k x -1 BIT
		source: BITCOUNT {b}none 0 -1 BIT
		source: BITCOUNT {b}none x -1 BIT
		source: RPUSH {b}l x
		source: BITCOUNT {b}l 0 -1 BIT
		source: BITPOS {b}k 1 0 -1 BIT
		source: BITPOS {b}k 0 0 -1 BIT
		source: BITPOS {b}k 1 3 5 BIT
		source: BITPOS {b}k 0 1 2 BIT
		source: BITPOS {b}k 1 16 31 BIT
		source: BITPOS {b}k 1 -8 -1 bit
		source: BITPOS {b}k 1 2 -1 BYTE
		source: BITPOS {b}k 0 2 -1 BYTE
		source: BITPOS {b}k 1 30 5 BIT
		source: BITPOS {b}k 1 48 100 BIT
		source: BITPOS {b}k 1 0 -1 NOSUCH
		source: BITPOS {b}k 2 0 -1 BIT
		source: BITPOS {b}k x 0 -1 BIT
		source: BITPOS {b}k 1 x -1 BIT
		source: BITPOS {b}k 1 0 BIT
		source: BITPOS {b}k 0
		source: BITPOS {b}k 1 10
		source: BITPOS {b}k 0 10
		source: BITPOS {b}k 1 0 -1 BIT x
		source: BITPOS {b}k 1 -100 -200
		source: BITCOUNT {b}k -100 -200
		source: BITCOUNT {b}k -200 -100
		source: BITCOUNT {b}k 0 9223372036854775807
		source: SETRANGE {b}f 0 _
		source: SETBIT {b}f 0 1
		source: BITPOS {b}f 0 0 0 BIT
		source: BITPOS {b}f 1 0 0 BIT
		source: SET {b}e _
		source: BITPOS {b}e 0
		source: BITPOS {b}e 0 0
		source: BITPOS {b}e 1
		source: BITPOS {b}e 0 0 -1 BIT
		source: BITCOUNT {b}e
		source: BITCOUNT {b}e 0 -1
		source: BITPOS {b}none 1 0 -1 BIT
		source: BITPOS {b}none 0 0 -1 BIT
		source: BITPOS {b}l 0 0 -1 BIT
		source: SETBIT {b}0 15 0
		source: BITPOS {b}0 1 0 -1 BIT
		source: BITPOS {b}0 1 0 -1 BYTE
		source: SETRANGE {b}0 2 foo
		source: BITCOUNT {b}0 16 -1 BIT
		source: BITPOS {b}0 1 3 -1 BIT`},
	{"places are added under a condition", `
		source: GEOADD {b}g 13.361389 38.115556 Palermo
		source: GEOADD {b}g NX 15 37 Palermo 15.087269 37.502669 Catania
		source: ZSCORE {b}g Palermo
		source: GEOADD {b}g XX CH 15 37 Palermo 1 1 nowhere
		source: ZSCORE {b}g Palermo
		source: GEOADD {b}g CH 15 37 Palermo 2 2 somewhere 13.5 38 Catania
		source: GEOADD {b}g nx ch 3 3 there
		source: GEOADD {b}g XX 3.1 3 there
		source: GEOADD {b}g NX XX 3.1 3 there
		source: GEOADD {b}g CH 3.1 3
		source: GEOADD {b}g CH x 3 there
		source: GEOADD {b}g CH 200 3 there
		source: GEOADD {b}g NX
		source: GEOADD {b}g NX XX CH
		source: GEOADD {b}g NOSUCH 3.1 3 there
		source: GEOADD {b}none XX 1 1 there
		source: EXISTS {b}none
		source: SET {b}s x
		source: GEOADD {b}s NX 1 1 there
		source: ZRANGE {b}g 0 -1 WITHSCORES`},
	{"where places are", `
		source: GEOADD {b}g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 0 0 zero -180 85 edge
		source: GEOPOS {b}g Palermo none Catania
		source: GEOPOS {b}g zero edge
		source: GEOPOS {b}none Palermo
		source: GEOPOS {b}g
		source: GEOSEARCH {b}g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD
		source: GEOSEARCH {b}g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST
		source: GEOSEARCH {b}g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST
		source: GEORADIUS {b}g 15 37 200 km WITHCOORD ASC
		source: GEORADIUS {b}g 15 37 200 km WITHDIST WITHCOORD ASC
		source: GEORADIUSBYMEMBER {b}g Palermo 200 km WITHCOORD WITHDIST DESC
		source: GEORADIUS_RO {b}g 15 37 200 km WITHCOORD ASC COUNT 1
		source: GEODIST {b}g Palermo Catania
		source: GEODIST {b}g Palermo Catania KM
		source: GEODIST {b}g Palermo Catania mi
		source: GEODIST {b}g Palermo none
		source: GEODIST {b}g zero edge ft
		source: GEODIST {b}none zero edge
		source: GEODIST {b}g zero zero
		source: GEOSEARCH {b}g FROMMEMBER Palermo BYRADIUS 120 mi DESC WITHDIST WITHHASH WITHCOORD
		source: GEOSEARCH {b}g FROMMEMBER Palermo BYRADIUS 120 mi ASC
		source: GEORADIUSBYMEMBER {b}g Palermo 200 m
		source: GEORADIUS {b}g 15 37 200 km STORE {b}d
		source: SET {b}s x
		source: GEOPOS {b}s x
		source: GEODIST {b}s x y
		source: GEOSEARCH {b}s FROMLONLAT 15 37 BYRADIUS 200 km
		source: GEOSEARCH {b}none FROMLONLAT 15 37 BYRADIUS 200 km WITHDIST
		source: EVAL return~redis.call('GEOPOS',KEYS[1],'Palermo','none') 1 {b}g
		source: ZADD {b}z 1.5 x 2 y
		source: ZSCAN {b}z 0
		source: ZSCAN {b}none 0`},
}
