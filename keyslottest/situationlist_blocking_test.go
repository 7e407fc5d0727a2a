package keyslottest_test

// blockingSituations are about what ends, and does not end, the wait of a blocking command.
var blockingSituations = []situation{
	{"a key that is waited for becomes something else", `
		source> BLPOP {b}1 {b}2 0
		blocked 1
		source/2: SET {b}1 x
		source/2: RPUSH {b}2 y
		source<
		source> BLPOP {b}3 0
		blocked 1
		source/2: SET {b}3 x
		source/2: ZADD {b}4 1 x
		source/2: DEL {b}3
		source/2: RPUSH {b}3 y
		source<
		source> BZPOPMIN {b}5 0
		blocked 1
		source/2: RPUSH {b}5 x
		source/2: DEL {b}5
		source/2: ZADD {b}5 1 x
		source<
		source> BZMPOP 0 2 {b}6 {b}7 MIN COUNT 2
		blocked 1
		source/2: SET {b}6 x
		source/2: ZADD {b}7 1 x 2 y 3 z
		source<
		source> XREAD BLOCK 0 STREAMS {b}8 {b}9 0 0
		blocked 1
		source/2: SET {b}8 x
		source/2: XADD {b}9 1-1 f v
		source<`},
	{"a wait of many years", `
		source: XADD {b}1 1-1 f v
		source: XREAD BLOCK 2147483648 STREAMS {b}1 0
		source> XREAD BLOCK 2147483648 STREAMS {b}1 $
		blocked 1
		source/2: XADD {b}1 1-2 f v
		source<
		source> XREAD BLOCK 9223372036854 STREAMS {b}1 $
		blocked 1
		source/2: XADD {b}1 1-3 f v
		source<
		source> BLPOP {b}2 9223372036
		blocked 1
		source/2: RPUSH {b}2 x
		source<
		source> BZMPOP 2147483648 1 {b}3 MIN
		blocked 1
		source/2: ZADD {b}3 1 x
		source<`},
	{"a move whose target is not a list", `
		source/2: SET {b}2 x
		source> BLMOVE {b}1 {b}2 LEFT LEFT 0
		blocked 1
		source/2: RPUSH {b}2 x
		source/2: RPUSH {b}1 x
		source<
		source: LRANGE {b}1 0 -1
		source> BRPOPLPUSH {b}3 {b}4 0
		blocked 1
		source/2: SET {b}4 x
		source/2: DEL {b}4
		source/2: RPUSH {b}4 x
		source/2: RPUSH {b}3 y
		source<
		source: LRANGE {b}4 0 -1`},
	{"a stream that is waited for is deleted", `
		source: XADD {b}1 1-1 f v
		source: XGROUP CREATE {b}1 g $
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		source/2: DEL {b}1
		source<`},
	{"a stream that is waited for is flushed", `
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		source/2: FLUSHALL
		source<`},
	{"a stream that is waited for becomes a string", `
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		source/2: SET {b}1 x
		source<`},
	{"a stream that is waited for is renamed, or expires", `
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		source/2: RENAME {b}1 {b}2
		source<
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}2 >
		blocked 1
		source/2: EXPIRE {b}2 0
		source<
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		source/2: PEXPIRE {b}1 20
		source/2: BLPOP {b}none 0.1
		source/2: PING
		source<`},
	{"a stream is deleted and made again at once", `
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		source/2: MULTI
		source/2: DEL {b}1
		source/2: XADD {b}1 1-1 f v
		source/2: EXEC
		source<`},
	{"the group that is waited for is destroyed", `
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		source/2: XGROUP DESTROY {b}1 g
		source<`},
	{"a stream that is waited for moves", `
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}1 >
		blocked 1
		open
		move {b}1
		source<
		finish`},
	{"a group is waited for", `
		source: XGROUP CREATE {b}1 g $ MKSTREAM
		source: XGROUP CREATE {b}2 g $ MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 COUNT 1 STREAMS {b}1 {b}2 > >
		blocked 1
		source/3> XREADGROUP GROUP g d BLOCK 0 STREAMS {b}2 {b}1 > >
		blocked 2
		source/2: MULTI
		source/2: XADD {b}2 1-1 f v
		source/2: XADD {b}2 1-2 f w
		source/2: EXEC
		source<
		source/3<
		source: XPENDING {b}2 g`},
	{"a key that is waited for is deleted", `
		source> BLPOP {b}1 0
		blocked 1
		source/3> XREAD BLOCK 0 STREAMS {b}2 $
		blocked 2
		source/2: XADD {b}2 1-1 f v
		source/3<
		source/2: DEL {b}1 {b}2
		source/2: FLUSHALL
		source/2: RPUSH {b}1 x
		source<`},
	{"a key that is named twice is waited for", `
		source> BLPOP {b}1 {b}1 0
		blocked 1
		source/2: RPUSH {b}1 x y
		source<
		source> XREAD BLOCK 0 STREAMS {b}2 {b}2 0 0
		blocked 1
		source/2: XADD {b}2 1-1 f v
		source<
		source> BZMPOP 0 2 {b}3 {b}3 MIN
		blocked 1
		source/2: ZADD {b}3 1 x
		source<
		source: PING
		source/2: LRANGE {b}1 0 -1`},
}
