package keyslottest_test

// misuseSituations are about arguments that a server refuses, and about the order in which it looks at them.
var misuseSituations = []situation{
	{"options of SET and GETEX", `
		source: SET {b}1 x KEEPTTL EX 5
		source: SET {b}1 x EX 5 KEEPTTL
		source: SET {b}1 x NX XX
		source: SET {b}1 x XX NX
		source: SET {b}1 x EX 5 PX 5
		source: SET {b}1 x EX
		source: SET {b}1 x EX x
		source: SET {b}1 x EX x NOSUCH
		source: SET {b}1 x EX 0 NOSUCH
		source: SET {b}1 x EX 0
		source: SET {b}1 x PXAT -1
		source: SET {b}1 x PERSIST
		source: EXISTS {b}1
		source: SET {b}1 x NX GET
		source: SET {b}1 y GET GET
		source: SET {b}1 y EX 5 EX 100
		source: SET {b}1 y KEEPTTL
		source: TTL {b}1
		source: GETEX {b}1 PERSIST EX 5
		source: GETEX {b}1 EX 5 PERSIST
		source: GETEX {b}1 EX 5 PX 5
		source: GETEX {b}1 EX
		source: GETEX {b}1 EX x
		source: GETEX {b}1 EX 0
		source: GETEX {b}1 EXAT -1
		source: GETEX {b}1 KEEPTTL
		source: GETEX {b}1 NX
		source: TTL {b}1
		source: GETEX {b}1 EX 5 EX 200
		source: TTL {b}1
		source: GETEX {b}none EX 0
		source: GETEX {b}none EX x
		source: GETEX {b}none NOSUCH
		source: RPUSH {b}l x
		source: GETEX {b}l EX 5
		source: TTL {b}l`},
	{"streams are trimmed", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 2-1 f b
		source: XTRIM {b}x MINID x
		source: XTRIM {b}x MINID 1-1-1
		source: XTRIM {b}x MINID -
		source: XTRIM {b}x MAXLEN x
		source: XTRIM {b}x MAXLEN -1
		source: XTRIM {b}x MAXLEN ~ -1
		source: XTRIM {b}x MAXLEN = -1
		source: XTRIM {b}x MAXLEN ~
		source: XTRIM {b}x MAXLEN
		source: XTRIM {b}x NOSUCH 1
		source: XTRIM {b}x MAXLEN 10 LIMIT 5
		source: XTRIM {b}x LIMIT 5 MAXLEN ~ 10
		source: XTRIM {b}x LIMIT 5
		source: XTRIM {b}x MAXLEN ~ 10 LIMIT -1
		source: XTRIM {b}x MAXLEN ~ 10 LIMIT x
		source: XTRIM {b}x MAXLEN 10 MINID 1
		source: XTRIM {b}x MAXLEN 10 NOMKSTREAM
		source: XTRIM {b}none MAXLEN -1
		source: SET {b}s x
		source: XTRIM {b}s MAXLEN -1
		source: XTRIM {b}s MAXLEN 1
		source: XADD {b}x MAXLEN -1 * f c
		source: XADD {b}x MINID x 3-1 f c
		source: XADD {b}x NOSUCH 3-1 f c
		source: XADD {b}x MAXLEN 10 LIMIT 5 3-1 f c
		source: XADD {b}x MAXLEN 10 MINID 1 3-1 f c
		source: XADD {b}x LIMIT 5 3-1 f c
		source: XADD {b}x MAXLEN 5 *
		source: XADD {b}x 3-1 f c g
		source: XADD {b}none NOMKSTREAM x f c
		source: XADD {b}none NOMKSTREAM 0-0 f c
		source: XADD {b}s x f c
		source: XADD {b}s 0-0 f c
		source: XADD {b}s 1-1 f c
		source: XADD {b}x MAXLEN = 2 NOMKSTREAM 3-1 f c
		source: XADD {b}x MAXLEN ~ 10 LIMIT 5 4-1 f d
		source: XTRIM {b}x MINID = 3
		source: XRANGE {b}x - +
		source: XTRIM {b}x MAXLEN 0
		source: XLEN {b}x
		source: XADD {b}x 18446744073709551615-18446744073709551615 f e
		source: XADD {b}x * f e`},
	{"ids that are none", `
		source: XGROUP CREATE {b}x g x MKSTREAM
		source: XGROUP CREATE {b}x g - MKSTREAM
		source: EXISTS {b}x
		source: XGROUP CREATE {b}x g x
		source: XGROUP CREATE {b}x g 0 MKSTREAM MKSTREAM
		source: XGROUP CREATE {b}x g 0
		source: XGROUP CREATE {b}x h 1-1-1
		source: XGROUP CREATE {b}x h 0 NOSUCH
		source: XGROUP CREATE {b}x h 0 ENTRIESREAD
		source: XGROUP CREATE {b}x h 0 ENTRIESREAD x
		source: XGROUP CREATE {b}x h 0 ENTRIESREAD -2
		source: XGROUP CREATE {b}x h 5 ENTRIESREAD 1
		source: SET {b}s x
		source: XGROUP CREATE {b}s g x MKSTREAM
		source: XADD {b}x 1-1 f a
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XDEL {b}x 1-1 x
		source: XDEL {b}none x
		source: XDEL {b}s x
		source: XACK {b}x g 1-1 x
		source: XACK {b}x none x
		source: XACK {b}none g x
		source: XACK {b}s g x
		source: XRANGE {b}x 1-1-1 +
		source: XRANGE {b}x - x
		source: XRANGE {b}x (- +
		source: XRANGE {b}x - + COUNT 0
		source: XREVRANGE {b}x + - COUNT -1
		source: XREVRANGE {b}x x -
		source: XRANGE {b}none - + COUNT 0
		source: XRANGE {b}s - + COUNT 0
		source: XRANGE {b}x - +
		source: XCLAIM {b}x g c 0 1-1 IDLE x
		source: XCLAIM {b}x g c 0 1-1 TIME x
		source: XCLAIM {b}x g c 0 1-1 RETRYCOUNT x
		source: XCLAIM {b}x g c 0 1-1 FORCE IDLE
		source: XAUTOCLAIM {b}x g c 0 0 COUNT
		source: XAUTOCLAIM {b}x g c 0 0 COUNT x
		source: XAUTOCLAIM {b}x g c 0 0 COUNT 99999999999999999999
		source: XPENDING {b}x g`},
	{"streams are read", `
		source: RPUSH {b}l x
		source: XADD {b}x 1-1 f a
		source: XREAD STREAMS {b}l 0
		source: XREAD STREAMS {b}l $
		source: XREAD BLOCK 0 STREAMS {b}l 0
		source: XREAD BLOCK 0 STREAMS {b}l $
		source: XREAD STREAMS {b}x {b}l 0 0
		source: XREAD STREAMS {b}l {b}x 0 x
		source: XREAD STREAMS {b}x {b}l x 0
		source: XREAD STREAMS {b}x >
		source: XREAD STREAMS {b}x +
		source: XREAD STREAMS {b}x 0 0
		source: XREAD COUNT x STREAMS {b}x 0
		source: XREAD COUNT STREAMS {b}x 0
		source: XREAD COUNT -1 STREAMS {b}x 0
		source: XREAD BLOCK x STREAMS {b}x 0
		source: XREAD BLOCK -1 STREAMS {b}x 0
		source: XREAD NOSUCH STREAMS {b}x 0
		source: XREAD COUNT 1 STREAMS
		source: XREAD NOACK STREAMS {b}x 0
		source: XREAD GROUP g c STREAMS {b}x 0
		source: XREAD STREAMS {b}x {b}x 0 0
		source: XREAD STREAMS {b}x {b}x 0 1-1
		source: XREAD STREAMS {b}x {b}none 1-1 0
		source: XREADGROUP GROUP g c STREAMS {b}x $
		source: XGROUP CREATE {b}x g 0
		source: XREADGROUP GROUP g c STREAMS {b}x {b}l > >
		source: XREADGROUP GROUP g c STREAMS {b}x {b}none > >
		source: XREADGROUP GROUP g c STREAMS {b}x $
		source: XREADGROUP GROUP g c STREAMS {b}x > >
		source: XREADGROUP GROUP g c COUNT x STREAMS {b}x >
		source: XREADGROUP GROUP g c NOSUCH STREAMS {b}x >
		source: XREADGROUP GROUP g c BLOCK x STREAMS {b}x >
		source: XREADGROUP COUNT 1 NOACK STREAMS {b}x >
		source: XPENDING {b}x g
		source: XREADGROUP COUNT 1 GROUP g c STREAMS {b}x {b}x > >
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XREADGROUP GROUP g c STREAMS {b}x {b}x 0 0
		source: MULTI
		source: XREAD BLOCK 0 STREAMS {b}x $
		source: EXEC`},
	{"strings that would be too long", `
		source: SETRANGE {b}1 536870912 x
		source: SETRANGE {b}1 536870911 xy
		source: SETRANGE {b}1 9223372036854775807 x
		source: SETRANGE {b}1 9223372036854775808 x
		source: SETRANGE {b}1 9223372036854775807 _
		source: SETBIT {b}1 4294967296 1
		source: SETBIT {b}1 4294967296 2
		source: SETBIT {b}1 -1 1
		source: SETBIT {b}1 x 1
		source: GETBIT {b}1 4294967296
		source: GETBIT {b}1 4294967295
		source: EXISTS {b}1
		source: RPUSH {b}l x
		source: SETRANGE {b}l 536870912 x
		source: SETBIT {b}l 4294967296 1
		source: GETBIT {b}l 4294967296`},
	{"cursors of values", `
		source: RPUSH {b}l x
		source: HSCAN {b}l 0
		source: SSCAN {b}l 0
		source: ZSCAN {b}l 0
		source: HSCAN {b}l x
		source: HSET {b}h f v
		source: HSCAN {b}h 100
		source: HSCAN {b}h -1
		source: HSCAN {b}h +1
		source: HSCAN {b}h _
		source: HSCAN {b}h 18446744073709551615
		source: HSCAN {b}h 18446744073709551616
		source: HSCAN {b}h x
		source: HSCAN {b}h 0 COUNT 0
		source: HSCAN {b}h 0 COUNT -1
		source: HSCAN {b}h 0 COUNT x
		source: HSCAN {b}h 0 COUNT 9223372036854775807
		source: HSCAN {b}h 0 MATCH
		source: HSCAN {b}h 0 MATCH _
		source: HSCAN {b}h 0 MATCH ? COUNT 1
		source: HSCAN {b}h 0 TYPE hash
		source: HSCAN {b}none 0 NOSUCH
		source: HSCAN {b}none x
		source: ZADD {b}z 1 x 2 y
		source: ZSCAN {b}z -1
		source: ZSCAN {b}z 100 COUNT 1
		source: ZSCAN {b}z 0 MATCH y
		source: ZSCAN {b}z 0 COUNT 9223372036854775807
		source: SADD {b}s x
		source: SSCAN {b}s 100
		source: SSCAN {b}s 0 COUNT 9223372036854775807
		source: SSCAN {b}s 0 MATCH y
		source: SCAN x
		source: SCAN 0 MATCH _`},
	{"counts and bounds", `
		source: RPUSH {b}l x y x
		source: LPOS {b}l x COUNT 9223372036854775807
		source: LPOS {b}l x COUNT 9223372036854775807 RANK -1
		source: LPOS {b}l x COUNT 0
		source: LPOS {b}l x COUNT 1 COUNT 2
		source: LPOS {b}l x COUNT -1
		source: LPOS {b}l x COUNT x
		source: LPOS {b}l x COUNT
		source: LPOS {b}none x COUNT 9223372036854775807
		source: LPOP {b}l -1
		source: RPOP {b}none x
		source: SPOP {b}l -1
		source: LPOP {b}l 0
		source: LPOP {b}l 9223372036854775807
		source: HSET {b}h f v
		source: SADD {b}s x
		source: SPOP {b}l -1
		source: LPOS {b}s x COUNT 9223372036854775807
		source: HRANDFIELD {b}h -9223372036854775808
		source: HRANDFIELD {b}h 9223372036854775807
		source: HRANDFIELD {b}h 9223372036854775807 WITHVALUES
		source: HRANDFIELD {b}h -4611686018427387904 WITHVALUES
		source: HRANDFIELD {b}h 9223372036854775807 NOSUCH
		source: SRANDMEMBER {b}s -9223372036854775808
		source: ZADD {b}z 1 x
		source: ZRANDMEMBER {b}z -9223372036854775808
		source: ZRANDMEMBER {b}z 9223372036854775807 WITHSCORES
		source: ZCOUNT {b}z 1 nan
		source: ZCOUNT {b}s nan 1
		source: ZRANGEBYSCORE {b}z (nan 1
		source: ZRANGEBYSCORE {b}z nan 1 NOSUCH
		source: ZREVRANGEBYSCORE {b}z 1 nan
		source: ZREMRANGEBYSCORE {b}z nan 1
		source: ZRANGE {b}z nan 1 BYSCORE
		source: ZRANGE {b}z nan 1 BYSCORE LIMIT x 1
		source: ZRANGE {b}z - + BYLEX WITHSCORES
		source: ZRANGE {b}z - + WITHSCORES BYLEX LIMIT 0 1
		source: ZRANGE {b}z - + BYLEX WITHSCORES NOSUCH
		source: ZRANGE {b}z x y BYLEX WITHSCORES
		source: ZRANGEBYLEX {b}z - + WITHSCORES
		source: ZREVRANGEBYLEX {b}z + - WITHSCORES
		source: ZRANGEBYLEX {b}z - + LIMIT 0 1
		source: GEORADIUS {b}s 1 1 1 m
		source: GEORADIUS_RO {b}s 1 1 1 m`},
	{"values are dumped and restored", `
		source: SET {b}1 x
		source: RESTORE {b}2 0 garbage
		source: RESTORE {b}2 -1 garbage
		source: RESTORE {b}2 x garbage
		source: RESTORE {b}2 0 _
		source: RESTORE {b}1 x garbage
		source: RESTORE {b}1 0 garbage REPLACE
		source: RESTORE {b}1 0 garbage NOSUCH
		source: RESTORE {b}2 0 garbage IDLETIME
		source: RESTORE {b}2 0 garbage IDLETIME x
		source: RESTORE {b}2 0 garbage IDLETIME -1
		source: RESTORE {b}2 0 garbage FREQ 256
		source: RESTORE {b}2 0 garbage FREQ 1 IDLETIME 1
		source: EXISTS {b}2
		source: DUMP {b}1
		source: EVAL return~redis.call('RESTORE',KEYS[2],0,redis.call('DUMP',KEYS[1])) 2 {b}1 {b}2
		source: GET {b}2
		source: TTL {b}2
		source: SET {b}1 -5
		source: DUMP {b}1
		source: EVAL return~redis.call('RESTORE',KEYS[2],100000,redis.call('DUMP',KEYS[1]),'REPLACE') 2 {b}1 {b}2
		source: GET {b}2
		source: TTL {b}2
		source: SET {b}1 -32768
		source: DUMP {b}1
		source: EVAL return~redis.call('RESTORE',KEYS[2],0,redis.call('DUMP',KEYS[1]),'REPLACE') 2 {b}1 {b}2
		source: GET {b}2
		source: TTL {b}2
		source: SET {b}1 2147483647
		source: DUMP {b}1
		source: EVAL return~redis.call('RESTORE',KEYS[2],9999999999200,redis.call('DUMP',KEYS[1]),'REPLACE','ABSTTL') 2 {b}1 {b}2
		source: GET {b}2
		source: EXPIRETIME {b}2
		source: SET {b}1 2147483648
		source: DUMP {b}1
		source: SET {b}1 007
		source: DUMP {b}1
		source: SETBIT {b}3 30000 1
		source: EVAL return~redis.call('RESTORE',KEYS[2],0,redis.call('DUMP',KEYS[1])) 2 {b}3 {b}4
		source: STRLEN {b}4
		source: SETBIT {b}3 300000 1
		source: EVAL return~redis.call('RESTORE',KEYS[2],0,redis.call('DUMP',KEYS[1]),'REPLACE') 2 {b}3 {b}4
		source: STRLEN {b}4
		source: EVAL return~redis.call('RESTORE',KEYS[2],1000,redis.call('DUMP',KEYS[1]),'REPLACE','ABSTTL') 2 {b}3 {b}4
		source: EXISTS {b}4
		source: DUMP {b}none`},
}
