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
}
