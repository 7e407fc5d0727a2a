package keyslottest_test

// serverSituations are about what every server does, as far as keyslottest has to take part: sessions, the map, listing
// keys, and replies whose form differs between the protocol versions.
var serverSituations = []situation{
	{"the key specs of odd commands", `
		source: ZUNIONSTORE c 1 {b}1
		source: ZUNIONSTORE {b}2 2 {b}1 {b}3
		source: SORT {b}1 STORE c
		source: XREAD COUNT 1 STREAMS c 0
		source: XREAD COUNT 1 STREAMS {b}1 0
		source: BITOP AND {b}1 {b}2 c
		source: OBJECT ENCODING c
		source: XGROUP CREATE c g 0
		source: LMPOP 1 c LEFT
		source: MEMORY USAGE c
		source: GEORADIUS {b}1 0 0 1 km STORE c`},
	{"what a cluster does not allow", `
		source: SELECT 0
		source: SELECT 1
		source: SELECT x
		source: SWAPDB 0 1
		source: MOVE {b}1 1`},
	{"HELLO", `
		source: HELLO 4
		source: HELLO x
		source: HELLO 3 NOSUCH
		source: HELLO 3 SETNAME
		source: HELLO 3 AUTH default
		source: HELLO 2 SETNAME a~b
		source: CLIENT GETNAME`},
	{"AUTH without a password", `
		source: AUTH x
		source: AUTH default x
		source: AUTH nobody x
		source: AUTH a b c
		source: PING`},
	{"names and sessions", `
		source: CLIENT SETNAME me
		source: CLIENT GETNAME
		source: CLIENT SETNAME a~b
		source: READONLY
		source: READWRITE
		source: ASKING
		source: RESET
		source: CLIENT GETNAME
		source: QUIT
		source.`},
	{"RESET leaves the transaction and the watch", `
		source: MULTI
		source: SET {b}1 x
		source: RESET
		source: EXEC
		source: GET {b}1`},
	{"the slot of a key", `
		source: CLUSTER KEYSLOT b
		source: CLUSTER KEYSLOT {b}1
		source: CLUSTER KEYSLOT {}b
		source: CLUSTER KEYSLOT {{b}}
		source: CLUSTER KEYSLOT b{
		source: CLUSTER KEYSLOT {}{b}
		source: CLUSTER KEYSLOT _
		source: CLUSTER KEYSLOT x{b}y{c}z`},
	{"the map", `
		source: CLUSTER SLOTS
		replica: CLUSTER SLOTS
		source: CLUSTER MYID
		replica: CLUSTER MYID`},
	{"the map after a migration", `
		open
		source: CLUSTER SLOTS
		finish
		source: CLUSTER SLOTS
		target: CLUSTER SLOTS`},
	{"SCAN and its errors", `
		source: SET {b}1 x
		source: SCAN x
		source: SCAN 0 MATCH
		source: SCAN 0 COUNT 0
		source: SCAN 0 COUNT x
		source: SCAN 0 NOSUCH 1
		source: RANDOMKEY
		target: RANDOMKEY
		source: KEYS {b}*
		source: KEYS [x]*`},
	{"flushing one node leaves the others", `
		source: SET {b}1 x
		target: SET c x
		source: FLUSHALL
		source: DBSIZE
		target: DBSIZE
		target: FLUSHDB ASYNC
		target: DBSIZE
		source: FLUSHALL NOSUCH`},
	{"types answer as they do", `
		source: HSET {b}h f v
		source: HGETALL {b}h
		source: SADD {b}s x
		source: SMEMBERS {b}s
		source: ZADD {b}z 1.5 x
		source: ZSCORE {b}z x
		source: ZRANGE {b}z 0 -1 WITHSCORES
		source: ZSCORE {b}z y
		source: GET {b}none
		source: LPOP {b}none
		source: LPOP {b}none 2
		source: HMGET {b}h f g
		source: TYPE {b}h
		source: INCR {b}h
		source: EXISTS {b}h {b}s {b}none
		source: SETNX {b}n 1
		source: INCRBYFLOAT {b}n 0.5
		source: EXPIRE {b}n 100
		source: TTL {b}n
		source: TTL {b}none
		source: PERSIST {b}n
		source: TTL {b}n`},
	{"more types answer as they do", `
		source: ZADD {b}z 1 x 2.5 y inf z
		source: ZRANGE {b}z 0 -1 REV WITHSCORES
		source: ZRANGEBYSCORE {b}z -inf +inf WITHSCORES
		source: ZINCRBY {b}z 1 x
		source: ZPOPMIN {b}z
		source: ZPOPMAX {b}z 1
		source: ZUNION 1 {b}z WITHSCORES
		source: ZMSCORE {b}z y none
		source: ZRANK {b}z none
		source: ZADD {b}z INCR 2 y
		source: ZADD {b}z NX INCR 2 y
		source: XADD {b}x 1-1 f v g w
		source: XADD {b}x 1-2 f v
		source: XRANGE {b}x - +
		source: XLEN {b}x
		source: XREAD COUNT 1 STREAMS {b}x 0
		source: XREAD STREAMS {b}none 0
		source: XGROUP CREATE {b}x g 0
		source: XREADGROUP GROUP g c COUNT 1 STREAMS {b}x >
		source: XACK {b}x g 1-1
		source: LMPOP 1 {b}none LEFT
		source: RPUSH {b}l a b c
		source: LMPOP 1 {b}l LEFT COUNT 2
		source: SPOP {b}none 2
		source: SADD {b}s 1
		source: SPOP {b}s 2
		source: SINTER {b}s {b}none
		source: SMISMEMBER {b}s 1
		source: HSET {b}h f v
		source: HKEYS {b}h
		source: HINCRBYFLOAT {b}h n 1.25
		source: HGET {b}h none
		source: HRANDFIELD {b}h 0
		source: SET {b}k v GET
		source: SET {b}k w NX
		source: SET {b}k w XX GET
		source: GETDEL {b}k
		source: GETEX {b}k
		source: MSETNX {b}k 1 {b}j 2
		source: APPEND {b}k 2
		source: PFADD {b}p a b
		source: PFCOUNT {b}p
		source: GETRANGE {b}k 0 0
		source: BITCOUNT {b}k
		source: INCRBY {b}k x
		source: SET {b}k x EX 0
		source: EXPIRE {b}k -1
		source: EXISTS {b}k
		source: RENAME {b}none {b}k
		source: COPY {b}j {b}i`},
	{"WAIT", `
		source: SET {b}1 x
		source: WAIT 1 5000
		source: WAIT 5 10
		source: WAIT x 0
		source: WAIT 1 -1
		replica: WAIT 0 0`},
}
