package keyslottest_test

// valueSituations are about what commands do to values, where miniredis alone would do something else.
var valueSituations = []situation{
	{"nothing is stored", `
		source: SADD {b}s x
		source: SADD {b}t y
		source: SINTERSTORE {b}d {b}s {b}t
		source: EXISTS {b}d
		source: SET {b}d x
		source: SINTERSTORE {b}d {b}s {b}t
		source: EXISTS {b}d
		source: SDIFFSTORE {b}d {b}s {b}s
		source: EXISTS {b}d
		source: SUNIONSTORE {b}d {b}none
		source: EXISTS {b}d
		source: ZADD {b}z 1 x
		source: ZADD {b}y 1 y
		source: ZINTERSTORE {b}d 2 {b}z {b}y
		source: EXISTS {b}d
		source: ZUNIONSTORE {b}d 1 {b}none
		source: EXISTS {b}d
		source: SINTERSTORE {b}s {b}s {b}t
		source: EXISTS {b}s
		source: EVAL return~redis.call('ZINTERSTORE',KEYS[1],'1','{b}none') 1 {b}d
		source: MULTI
		source: ZUNIONSTORE {b}d 1 {b}none
		source: EXISTS {b}d
		source: EXEC
		source: DBSIZE`},
	{"nothing is written", `
		source: SETRANGE {b}1 0 _
		source: SETRANGE {b}1 5 _
		source: EXISTS {b}1
		source: SETRANGE {b}1 -1 _
		source: SETRANGE {b}1 x _
		source: SET {b}1 xyz
		source: SETRANGE {b}1 1 _
		source: SETRANGE {b}1 1 a
		source: GET {b}1
		source: RPUSH {b}2 x
		source: SETRANGE {b}2 0 _
		source: SETRANGE {b}2 -1 _`},
	{"numbers that are none", `
		source: SET {b}1 x
		source: EXPIRE {b}1 9223372036854775807
		source: EXPIRE {b}1 -9223372036854775808
		source: PEXPIRE {b}1 9223372036854775807
		source: EXPIREAT {b}1 9223372036854775807
		source: PEXPIREAT {b}1 -9223372036854775807
		source: SET {b}2 x
		source: EXPIRE {b}2 9223372036854775
		source: EXPIRE {b}2 9223372036854776
		source: EXPIRE {b}2 x
		source: EXPIRE {b}none 9223372036854775807
		source: SETEX {b}2 9223372036854775807 x
		source: SET {b}2 x EX 9223372036854775807
		source: GETEX {b}2 EX 9223372036854775807
		source: GETEX {b}2 PX 9223372036854775807
		source: EXPIRE {b}2 10000000000
		source: EXISTS {b}2
		source: SET {b}2 x EX 10000000000
		source: GETEX {b}2 PX 10000000000000
		source: EXISTS {b}2
		source: EXPIRE {b}2 -10000000000
		source: EXISTS {b}2
		source: ZADD {b}z nan x
		source: ZADD {b}z 1 x NaN y
		source: ZADD {b}z +nan x
		source: ZINCRBY {b}z nan x
		source: ZADD {b}z inf x
		source: ZADD {b}z INCR -inf x
		source: ZINCRBY {b}z -inf x
		source: ZSCORE {b}z x
		source: EXISTS {b}z`},
	{"none is popped", `
		source: ZADD {b}z 1 x 2 y
		source: ZPOPMIN {b}z 0
		source: ZPOPMAX {b}z 0
		source: ZPOPMIN {b}z -1
		source: ZPOPMIN {b}z x
		source: ZPOPMIN {b}none 0
		source: ZCARD {b}z
		source: ZPOPMIN {b}z 1 2
		source: SET {b}s x
		source: ZPOPMIN {b}s 0
		source: ZPOPMAX {b}s -1
		source: EVAL return~redis.call('ZPOPMIN',KEYS[1],0) 1 {b}z
		source: ZCARD {b}z`},
	{"a digest in capitals", `
		source: SCRIPT LOAD return~5
		source: EVALSHA 4CA238F611C9D0AE4E9A75A5DBAC22AEDC379801 0
		source: EVALSHA_RO 4CA238f611c9d0ae4e9a75a5dbac22aedc379801 0`},
	{"there is one database", `
		source: SET {b}1 x
		source: COPY {b}1 {b}2 DB 1
		source: COPY {b}1 {b}2 DB 0
		source: COPY {b}1 {b}2 REPLACE DB 1
		source: COPY {b}1 {b}2 DB x
		source: COPY {b}1 {b}2 DB 99
		source: COPY {b}1 {b}2 DB
		source: COPY {b}1 {b}2 NOSUCH
		source: COPY {b}none {b}2 DB 1
		source: EXISTS {b}2`},
	{"some fields of a hash", `
		source: HSET {b}h f v
		source: HRANDFIELD {b}h 1
		source: HRANDFIELD {b}h 1 WITHVALUES
		source: HRANDFIELD {b}h -2 WITHVALUES
		source: HRANDFIELD {b}h 0 WITHVALUES
		source: HRANDFIELD {b}none 1 WITHVALUES`},
}
