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
}
