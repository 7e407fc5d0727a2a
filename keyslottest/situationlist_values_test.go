package keyslottest_test

// valueSituations are about what commands do to values, where miniredis alone would do something else.
var valueSituations = []situation{
	{"streams are claimed", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 1-2 f b
		source: XADD {b}x 1-3 f c
		source: XGROUP CREATE {b}x g 0
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XCLAIM {b}x g d 60000 1-1
		source: XPENDING {b}x g
		source: XCLAIM {b}x g d 0 1-1 9-9
		source: XPENDING {b}x g
		source: XCLAIM {b}x g d 60000 1-1 1-2 JUSTID
		source: XCLAIM {b}x g d 0 1-2 1-3 JUSTID
		source: XDEL {b}x 1-2
		source: XCLAIM {b}x g e 0 1-2 1-3
		source: XPENDING {b}x g
		source: XCLAIM {b}x g e x 1-2
		source: XCLAIM {b}x g e 0 x
		source: XCLAIM {b}x none e 0 1-1
		source: XCLAIM {b}none g e 0 1-1
		source: XACK {b}x g 1-3
		source: XCLAIM {b}x g e 60000 1-3 FORCE
		source: XCLAIM {b}x g e 60000 9-9 FORCE
		source: XCLAIM {b}x g e 60000 9-9 NOSUCH
		source: XPENDING {b}x g`},
	{"the history of a consumer", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 1-2 f b
		source: XADD {b}x 1-3 f c
		source: XGROUP CREATE {b}x g 0
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XDEL {b}x 1-2
		source: XREADGROUP GROUP g c STREAMS {b}x 0
		source: XREADGROUP GROUP g c COUNT 2 STREAMS {b}x 0
		source: XREADGROUP GROUP g c STREAMS {b}x 1-1
		source: XREADGROUP GROUP g c STREAMS {b}x 1-3
		source: XREADGROUP GROUP g d STREAMS {b}x 0
		source: XREADGROUP GROUP none d STREAMS {b}x 0
		source: XADD {b}y 1-1 f a
		source: XGROUP CREATE {b}y g 0
		source: XREADGROUP GROUP g c STREAMS {b}x {b}y 0 >
		source: XREADGROUP GROUP g c STREAMS {b}x {b}y > 0
		source: XREADGROUP GROUP g c BLOCK 0 STREAMS {b}x 0
		source: XPENDING {b}x g
		source: XACK {b}x g 1-2 9-9
		source: XREADGROUP GROUP g c STREAMS {b}x x
		source: XREADGROUP GROUP g c STREAMS {b}none 0
		source: XREADGROUP GROUP g c STREAMS {b}x 0`},
	{"streams are claimed without naming entries", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 1-2 f b
		source: XADD {b}x 1-3 f c
		source: XADD {b}x 1-4 f d
		source: XGROUP CREATE {b}x g 0
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XDEL {b}x 1-2
		source: XAUTOCLAIM {b}x g d 60000 0
		source: XAUTOCLAIM {b}x g d 0 0 COUNT 2
		source: XAUTOCLAIM {b}x g d 0 0 COUNT 2 JUSTID
		source: XAUTOCLAIM {b}x g d 0 1-3
		source: XPENDING {b}x g
		source: XDEL {b}x 1-1 1-3 1-4
		source: XAUTOCLAIM {b}x g d 0 0
		source: XPENDING {b}x g
		source: XAUTOCLAIM {b}x g d 0 0
		source: XAUTOCLAIM {b}x none d 0 0
		source: XAUTOCLAIM {b}x g d 0 0 COUNT 0
		source: XADD {b}x 2-1 f a
		source: XADD {b}x 2-2 f b
		source: XADD {b}x 2-3 f c
		source: XREADGROUP GROUP g c COUNT 2 STREAMS {b}x >
		source: XDEL {b}x 2-1
		source: XAUTOCLAIM {b}x g d 0 - COUNT 1
		source: XAUTOCLAIM {b}x g d 0 - COUNT 1 NOSUCH
		source: XAUTOCLAIM {b}x g d x - COUNT 1
		source: XAUTOCLAIM {b}x g d 0 (2-2
		source: XAUTOCLAIM {b}x g d 0 x`},
	{"a consumer is deleted", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 1-2 f b
		source: XGROUP CREATE {b}x g 0
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XDEL {b}x 1-1
		source: XCLAIM {b}x g d 0 1-2
		source: XGROUP DELCONSUMER {b}x g d
		source: XPENDING {b}x g
		source: XGROUP DELCONSUMER {b}x g c
		source: XPENDING {b}x g - + 10
		source: XGROUP DELCONSUMER {b}x g none
		source: XGROUP DELCONSUMER {b}x none c
		source: XGROUP DELCONSUMER {b}none g c`},
	{"an id is used once", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 1-5 f b
		source: XDEL {b}x 1-5
		source: XADD {b}x 1-3 f c
		source: XADD {b}x 1-5 f c
		source: XADD {b}x 1-* f c
		source: XADD {b}x 1 f c
		source: XTRIM {b}x MAXLEN 0
		source: XADD {b}x 1-6 f c
		source: XADD {b}x 0-0 f c
		source: XADD {b}x 1-7 f c
		source: XADD {b}x MAXLEN 0 2-1 f c
		source: XADD {b}x MINID 3 NOMKSTREAM 2-1 f c
		source: XADD {b}x NOMKSTREAM MAXLEN = 5 2-1 f c
		source: XADD {b}x NOMKSTREAM MAXLEN = 5 2-2 f c
		source: XDEL {b}x 2-2
		source: RENAME {b}x {b}y
		source: XADD {b}y 2-2 f c
		source: DEL {b}y
		source: XADD {b}none 0-0 f c
		source: EXISTS {b}none
		source: XADD {b}y 1-1 f c`},
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
	{"one reply to one command", `
		source: SADD {b}s x
		source: XLEN {b}s
		source: PING
		source: MULTI
		source: XLEN {b}s
		source: EXEC
		source: EVAL return~redis.call('XLEN',KEYS[1]) 1 {b}s
		source: PING`},
	{"a copy replaces all of what was there", `
		source: SET {b}s 10
		source: ZADD {b}z 1 x
		source: EXPIRE {b}z 1000
		source: COPY {b}s {b}z
		source: COPY {b}s {b}z REPLACE
		source: GET {b}z
		source: TTL {b}z
		source: DEL {b}z
		source: ZADD {b}z 1 x
		source: EXISTS {b}z
		source: COPY {b}none {b}z REPLACE
		source: COPY {b}z {b}z REPLACE
		source: ZRANGE {b}z 0 -1
		source: COPY {b}z {b}s REPLACE
		source: FLUSHALL
		source: ZADD {b}s 1 y
		source: ZRANGE {b}s 0 -1`},
	{"nothing is stored where a source is of another type", `
		source: SET {b}d 1
		source: XADD {b}x 1-1 f v
		source: SADD {b}s x
		source: ZUNIONSTORE {b}d 1 {b}x
		source: ZUNIONSTORE {b}d 2 {b}s {b}x
		source: ZINTERSTORE {b}d 2 {b}none {b}x
		source: SUNIONSTORE {b}d {b}s {b}x
		source: SINTERSTORE {b}d {b}none {b}x
		source: SDIFFSTORE {b}d {b}none {b}x
		source: SDIFFSTORE {b}d {b}d
		source: ZUNIONSTORE {b}d 2 {b}s
		source: ZUNIONSTORE {b}d 1 {b}s WEIGHTS x
		source: GET {b}d
		source: ZUNIONSTORE {b}d 1 {b}s
		source: ZRANGE {b}d 0 -1 WITHSCORES`},
	{"values that expire in the past", `
		source: SET {b}1 x PXAT 1000
		source: EXISTS {b}1
		source: SET {b}1 y
		source: BLPOP {b}none 0.02
		source: TTL {b}1
		source: SET {b}1 z GET EXAT 1
		source: SET {b}1 z GET EXAT 1
		source: SET {b}1 x
		source: SET {b}1 y NX EXAT 1
		source: GET {b}1
		source: SET {b}1 y XX EXAT 1
		source: SET {b}1 y XX EXAT 1
		source: EXISTS {b}1
		source: RPUSH {b}l x
		source: SET {b}l y GET EXAT 1
		source: GETEX {b}l EXAT 1
		source: EXISTS {b}l
		source: SET {b}l y EXAT 1
		source: EXISTS {b}l
		source: SET {b}1 x
		source: GETEX {b}1 PXAT 1000
		source: GETEX {b}1 PXAT 1000
		source: SET {b}1 y
		source: BLPOP {b}none 0.02
		source: TTL {b}1
		source: GETEX {b}1 EXAT 9999999999
		source: EXPIRETIME {b}1
		source: GETEX {b}1 PERSIST
		source: TTL {b}1
		source: SET {b}1 x EXAT 9999999999
		source: EXPIRETIME {b}1`},
	{"a stream is copied", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 2-1 f b g c
		source: XADD {b}x 3-1 f d
		source: XADD {b}x 4-1 f e
		source: XGROUP CREATE {b}x g 0
		source: XGROUP CREATE {b}x h $
		source: XGROUP CREATECONSUMER {b}x h c
		source: XREADGROUP GROUP g c COUNT 2 STREAMS {b}x >
		source: XDEL {b}x 2-1 4-1
		source: EXPIRE {b}x 1000
		source: COPY {b}x {b}y
		source: TTL {b}y
		source: XRANGE {b}y - +
		source: XPENDING {b}y g
		source: XADD {b}y 4-1 f f
		source: XADD {b}y 5-1 f f
		source: XADD {b}x 6-1 f g
		source: XDEL {b}x 1-1
		source: XRANGE {b}x - +
		source: XRANGE {b}y - +
		source: XREADGROUP GROUP g c STREAMS {b}y >
		source: XREADGROUP GROUP h c STREAMS {b}y >
		source: XACK {b}y g 1-1
		source: XPENDING {b}x g
		source: XPENDING {b}y g
		source: COPY {b}x {b}y
		source: COPY {b}x {b}y REPLACE
		source: XRANGE {b}y - +
		source: XGROUP CREATE {b}e g 0 MKSTREAM
		source: COPY {b}e {b}y REPLACE
		source: XLEN {b}y
		source: XREADGROUP GROUP g c STREAMS {b}y >
		source: XGROUP DESTROY {b}e g
		source: COPY {b}e {b}f
		source: TYPE {b}f
		source: XADD {b}f 1-1 f a`},
}
