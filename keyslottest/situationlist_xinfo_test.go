package keyslottest_test

// xinfoSituations are about what streams and their groups say of themselves.
var xinfoSituations = []situation{
	{"a stream says what it is", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 1-2 f b g h
		source: XADD {b}x 1-3 f c
		source: XGROUP CREATE {b}x g 0
		source: XGROUP CREATE {b}x h $
		source: XINFO STREAM {b}x
		source: XINFO GROUPS {b}x
		source: XREADGROUP GROUP g c COUNT 1 STREAMS {b}x >
		source: XINFO GROUPS {b}x
		source: XREADGROUP GROUP g d STREAMS {b}x >
		source: XINFO GROUPS {b}x
		source: XACK {b}x g 1-2
		source: XINFO GROUPS {b}x
		source: XADD {b}x 1-4 f d
		source: XINFO GROUPS {b}x
		source: XINFO STREAM {b}x
		source: XINFO STREAM {b}none
		source: XINFO GROUPS {b}none
		source: SET {b}s x
		source: XINFO STREAM {b}s
		source: XINFO GROUPS {b}s
		source: XADD {b}y 1-1 f a
		source: XINFO GROUPS {b}y`},
	{"a stream says what it was", `
		source: XADD {b}x 1-1 f a
		source: XADD {b}x 1-2 f b
		source: XADD {b}x 1-3 f c
		source: XADD {b}x 1-4 f d
		source: XGROUP CREATE {b}x g 0
		source: XGROUP CREATE {b}x h 1-2
		source: XGROUP CREATE {b}x i 0 ENTRIESREAD 1
		source: XGROUP CREATE {b}x j 0 MKSTREAM ENTRIESREAD -1
		source: XGROUP CREATE {b}x k 0 ENTRIESREAD x
		source: XGROUP CREATE {b}x k 0 ENTRIESREAD -2
		source: XGROUP CREATE {b}x k 0 ENTRIESREAD
		source: XGROUP CREATE {b}x k 0 NOSUCH
		source: XINFO GROUPS {b}x
		source: XREADGROUP GROUP g c COUNT 1 STREAMS {b}x >
		source: XREADGROUP GROUP h c COUNT 1 STREAMS {b}x >
		source: XREADGROUP GROUP i c COUNT 1 STREAMS {b}x >
		source: XINFO GROUPS {b}x
		source: XDEL {b}x 1-3 9-9
		source: XINFO GROUPS {b}x
		source: XINFO STREAM {b}x
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XREADGROUP GROUP h c STREAMS {b}x >
		source: XINFO GROUPS {b}x
		source: XADD {b}x 1-5 f e
		source: XREADGROUP GROUP g c STREAMS {b}x 0
		source: XREADGROUP GROUP g c STREAMS {b}x >
		source: XINFO GROUPS {b}x
		source: EVAL local~c=redis.call('XINFO','CONSUMERS',KEYS[1],'g')[1]~return~{#c,c[1],c[2],c[3],c[4],c[5]} 1 {b}x
		source: XINFO CONSUMERS {b}x none
		source: XINFO CONSUMERS {b}none g
		source: XINFO CONSUMERS {b}x j
		source: XGROUP DESTROY {b}x g
		source: XGROUP CREATE {b}x g 1-4
		source: XINFO GROUPS {b}x
		source: XTRIM {b}x MAXLEN 1
		source: XINFO STREAM {b}x
		source: XINFO GROUPS {b}x
		source: XDEL {b}x 1-5
		source: XINFO STREAM {b}x
		source: XINFO GROUPS {b}x
		source: XADD {b}x MAXLEN 0 1-6 f f
		source: XINFO STREAM {b}x
		source: DEL {b}x
		source: XADD {b}x 1-1 f a
		source: XINFO STREAM {b}x
		source: XGROUP CREATE {b}y g 0 MKSTREAM
		source: XINFO STREAM {b}y
		source: XINFO GROUPS {b}y
		source: XADD {b}y 1-1 f a
		source: XADD {b}y NOMKSTREAM 1-1 f a
		source: XREADGROUP GROUP g c NOACK STREAMS {b}y >
		source: XINFO GROUPS {b}y
		source: XADD {b}none NOMKSTREAM 1-1 f a
		source: MULTI
		source: XADD {b}y 1-2 f b
		source: XREADGROUP GROUP g c STREAMS {b}y >
		source: XINFO GROUPS {b}y
		source: EXEC
		source: EVAL redis.call('XADD',KEYS[1],'1-3','f','c')~return~redis.call('XINFO','STREAM',KEYS[1]) 1 {b}y
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}z {b}y > >
		source<
		source: XGROUP CREATE {b}z g 0 MKSTREAM
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}z {b}y > >
		source<
		source> XREADGROUP GROUP g c BLOCK 0 STREAMS {b}z {b}y > >
		blocked 1
		source/2: XADD {b}z 1-1 f a
		source<
		source: XINFO GROUPS {b}z
		source: XINFO GROUPS {b}y`},
}
