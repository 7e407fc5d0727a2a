package keyslottest_test

// pubsubSituations are about publish/subscribe. Where a script begins with HELLO 3 it is about pushes between the
// replies of one connection, which RESP2 does not have. Servers pass messages on to each other at their own pace: so
// what has been sent to another node is read before a situation ends, or nobody listens to a channel of that name
// there, in any other situation either.
var pubsubSituations = []situation{
	{"subscribing is confirmed with counts", `
		source: SUBSCRIBE a b
		source<
		source: SUBSCRIBE a
		source: PSUBSCRIBE n* a
		source<
		source: PSUBSCRIBE n*
		source: SSUBSCRIBE {b}1 {b}2
		source<
		source: SSUBSCRIBE {b}1
		source: UNSUBSCRIBE a x
		source<
		source: PUNSUBSCRIBE x
		source: SUNSUBSCRIBE {b}2 {b}x
		source<
		source: UNSUBSCRIBE
		source: PUNSUBSCRIBE
		source<
		source: SUNSUBSCRIBE`},
	{"unsubscribing from nothing", `
		source: UNSUBSCRIBE
		source: PUNSUBSCRIBE
		source: SUNSUBSCRIBE
		source: UNSUBSCRIBE a b
		source<
		source: SUNSUBSCRIBE {b}1
		source: SUNSUBSCRIBE c
		source: SUNSUBSCRIBE {b}1 c
		source: GET {b}1`},
	{"publishing reaches channels and patterns", `
		source: PUBLISH a x
		source/2: SUBSCRIBE a a
		source/2<
		source: PUBLISH a x
		source/2<
		source/2: PSUBSCRIBE [a-c]
		source: PUBLISH a _
		source/2<
		source/2<
		source: PUBLISH b y
		source/2<
		source: PUBLISH d y
		source: PUBLISH A y
		source/3: SUBSCRIBE a
		source: PUBLISH a z
		source/3<
		source/2<
		source/2<
		source/2: PING`},
	{"patterns match as for KEYS", `
		source/2: PSUBSCRIBE h[^e]llo
		source: PUBLISH hallo 1
		source/2<
		source: PUBLISH hello 2
		source/2: PUNSUBSCRIBE
		source/2: PSUBSCRIBE h?llo*
		source: PUBLISH hllo 1
		source: PUBLISH hello 2
		source/2<
		source: PUBLISH h*llo~x 3
		source/2<
		source/2: PUNSUBSCRIBE
		source/2: PSUBSCRIBE a\*[\]b-]
		source: PUBLISH ab] 1
		source: PUBLISH a*] 2
		source/2<
		source: PUBLISH a*- 3
		source/2: PUNSUBSCRIBE
		source/2: PSUBSCRIBE _
		source: PUBLISH _ 1
		source/2<
		source: PUBLISH a 2
		source/2: PUNSUBSCRIBE _
		source/2: PSUBSCRIBE [z-x]**
		source: PUBLISH y[ 1
		source/2<
		source/2: PUNSUBSCRIBE
		source/2: PSUBSCRIBE y[
		source: PUBLISH y[ 1
		source/2: PING`},
	{"publishing reaches all nodes and counts those of one", `
		target/2: SUBSCRIBE all
		replica/2: PSUBSCRIBE all*
		target: PUBLISH all 1
		target/2<
		replica/2<
		source: PUBLISH all 2
		target/2<
		replica/2<
		replica: PUBLISH all 3
		target/2<
		replica/2<`},
	{"what a subscriber may do", `
		source: SUBSCRIBE a
		source: GET {b}1
		source: GET c
		source: GET
		source: NOSUCH
		source: PUBLISH b x
		source: SPUBLISH {b}1 x
		source: PUBSUB NUMPAT
		source: CLIENT GETNAME
		source: MULTI
		source: EXEC
		source: ECHO x
		source: PING
		source: PING x
		source: PING x y
		source: SSUBSCRIBE c
		source: AUTH x
		source: UNSUBSCRIBE
		source: GET {b}1
		source: PING
		source: SSUBSCRIBE {b}1
		source: GET {b}1
		source: PING
		source: SUNSUBSCRIBE
		source: PING`},
	{"RESET and QUIT of a subscriber", `
		source/2: SUBSCRIBE a
		source/2: PSUBSCRIBE a
		source/2: SSUBSCRIBE {b}1
		source/2: RESET
		source/2: GET {b}1
		source: PUBLISH a x
		source: SPUBLISH {b}1 x
		source/2: UNSUBSCRIBE
		source/2: SUBSCRIBE b
		source/2: QUIT
		source/2.`},
	{"another protocol version for a subscriber", `
		source/2: HELLO 3
		source/2: SUBSCRIBE a
		source: PUBLISH a 1
		source/2<
		source/2: GET {b}1
		source/2: RESET
		source/2: SUBSCRIBE a
		source/2: HELLO 3
		source: PUBLISH a 2
		source/2<`},
	{"pushes between the replies of a subscriber", `
		source: HELLO 3
		source: SUBSCRIBE a
		source: PUBLISH a 1
		source<
		source: PSUBSCRIBE a*
		source: MULTI
		source: PUBLISH a 2
		source: ECHO x
		source: EXEC
		source<
		source<
		source: UNSUBSCRIBE
		source: PING`},
	{"a subscriber that blocks", `
		source/2: HELLO 3
		source/2: SUBSCRIBE a
		source/2> BLPOP {b}1 0
		blocked 1
		source: PUBLISH a x
		source/2<
		source: RPUSH {b}1 y
		source/2<`},
	{"publish/subscribe in a transaction", `
		source/2: SUBSCRIBE a
		source/3: SSUBSCRIBE {b}1
		source: MULTI
		source: PUBLISH a x
		source: SPUBLISH {b}1 y
		source: PUBLISH a
		source: EXEC
		source: MULTI
		source: PUBLISH a x
		source: SPUBLISH {b}1 y
		source: EXEC
		source/2<
		source/3<
		source: MULTI
		source: SPUBLISH c y
		source: EXEC
		source: MULTI
		source: UNSUBSCRIBE
		source: PUBSUB NUMSUB a
		source: EXEC
		source: MULTI
		source: SSUBSCRIBE {b}1
		source: SUNSUBSCRIBE
		source: EXEC
		replica: MULTI
		replica: SPUBLISH {b}1 z
		replica: EXEC
		replica: READONLY
		replica: MULTI
		replica: SPUBLISH {b}9 z
		replica: EXEC
		open
		source: MULTI
		source: SPUBLISH {b}1 z
		source: EXEC`},
	{"subscribing in a transaction", `
		source: MULTI
		source: SUBSCRIBE a
		source: PUBLISH a x
		source: EXEC
		source<
		source: SUBSCRIBE b
		source: UNSUBSCRIBE a
		source: UNSUBSCRIBE
		source: MULTI
		source: PSUBSCRIBE a b
		source: ECHO x
		source: EXEC
		source<
		source: PING`},
	{"shard channels belong to slots", `
		source: SSUBSCRIBE {b}1 c
		source: SSUBSCRIBE c
		source: SPUBLISH c x
		source: SPUBLISH {b}9 x
		replica: SPUBLISH {b}9 x
		replica: SPUBLISH c x
		target-replica: SSUBSCRIBE {b}1
		replica: SSUBSCRIBE {b}1
		replica: SUNSUBSCRIBE c
		source/2: SSUBSCRIBE {b}1 {b}2
		source/2<
		source: SPUBLISH {b}1 1
		replica<
		source/2<
		source/3: SPUBLISH {b}2 2
		source/2<
		replica/2: SPUBLISH {b}1 3
		replica<
		source/2<
		source: PUBLISH {b}1 4
		source/2: SUBSCRIBE {b}1
		source: PUBLISH {b}1 5
		source/2<
		source: SPUBLISH {b}1 6
		replica<
		source/2<
		source/2: PSUBSCRIBE {b}?
		source: SPUBLISH {b}1 7
		replica<
		source/2<
		source/2: PING`},
	{"PUBSUB", `
		source: PUBSUB CHANNELS
		source: PUBSUB NUMSUB
		source: PUBSUB NUMPAT
		source: PUBSUB SHARDCHANNELS
		source: PUBSUB SHARDNUMSUB
		source/2: SUBSCRIBE a
		source/3: SUBSCRIBE a bb
		source/3<
		source/2: PSUBSCRIBE a* c
		source/2<
		source/3: PSUBSCRIBE a*
		source/2: SSUBSCRIBE {b}1
		source/3: SSUBSCRIBE {b}1 {b}22
		source/3<
		source: PUBSUB CHANNELS b?
		source: PUBSUB CHANNELS c
		source: PUBSUB channels a
		source: PUBSUB NUMSUB bb a c a
		source: PUBSUB NUMPAT
		source: PUBSUB SHARDCHANNELS *2
		source: PUBSUB SHARDCHANNELS a
		source: PUBSUB SHARDNUMSUB {b}1 {b}22 {b}3 c a
		replica: PUBSUB CHANNELS
		replica: PUBSUB NUMSUB a
		replica: PUBSUB NUMPAT
		replica: PUBSUB SHARDNUMSUB {b}1
		source: PUBSUB CHANNELS a b
		source: PUBSUB NUMPAT a
		source: PUBSUB SHARDCHANNELS a b
		source: PUBSUB NOSUCH
		source: PUBSUB
		source: PUBSUB HELP
		source: PUBSUB HELP x
		source: COMMAND GETKEYS PUBSUB SHARDNUMSUB a`},
	{"publish/subscribe without arguments", `
		source: SUBSCRIBE
		source: PSUBSCRIBE
		source: SSUBSCRIBE
		source: PUBLISH a
		source: PUBLISH a b c
		source: SPUBLISH {b}1
		source: SPUBLISH {b}1 b c`},
	{"a slot with subscribers leaves", `
		source/2: SSUBSCRIBE {b}leaving2 {b}leaving1
		source/2<
		replica/2: SSUBSCRIBE {b}leaving1
		open
		source/3: SSUBSCRIBE {b}leaving2
		source: SUNSUBSCRIBE {b}leaving1
		target/2: SSUBSCRIBE {b}coming1
		target/2: ASKING
		target/2: SSUBSCRIBE {b}coming1 {b}coming2
		target/2<
		target: SPUBLISH {b}coming1 0
		target: ASKING
		target: SPUBLISH {b}coming1 1
		target/2<
		source: SPUBLISH {b}coming1 unheard
		source: SPUBLISH {b}leaving1 2
		source/2<
		replica/2<
		finish
		source/2<
		source/2<
		source/3<
		replica/2<
		source/2: PING
		source/2: GET {b}leaving1
		source/2: SSUBSCRIBE {b}leaving1
		replica/2: SSUBSCRIBE {b}leaving1
		source: PUBSUB SHARDCHANNELS
		replica: PUBSUB SHARDCHANNELS
		target-replica/2: SSUBSCRIBE {b}coming2
		target: SPUBLISH {b}coming2 3
		target/2<
		target-replica/2<`},
	{"a slot with subscribers to other things leaves", `
		source/2: SUBSCRIBE a
		source/2: SSUBSCRIBE {b}1
		open
		finish
		source/2<
		source/2: PING
		source: PUBLISH a x
		source/2<`},
	{"the primary of subscribers fails over", `
		source/2: SSUBSCRIBE {b}1
		source/2: SUBSCRIBE a
		source/3: SSUBSCRIBE {b}1
		replica/2: SSUBSCRIBE {b}promoted
		failover
		source/2<
		source/3<
		source/3: PING
		source/3: SSUBSCRIBE {b}1
		replica: SPUBLISH {b}promoted x
		replica/2<
		source: PUBLISH a y
		source/2<
		source/2: PING`},
	{"publish/subscribe in scripts", `
		source/2: SUBSCRIBE a
		source/3: SSUBSCRIBE {b}1
		source: EVAL return~redis.call('PUBLISH','a','x')..'' 0
		source/2<
		source: EVAL return~redis.call('publish',KEYS[1],'x') 1 {b}1
		source: EVAL return~redis.call('SPUBLISH','{b}1','y') 0
		source/3<
		source: EVAL return~redis.call('SPUBLISH','c','y') 0
		source: EVAL return~redis.call('SUBSCRIBE','a') 0
		source: EVAL return~redis.call('UNSUBSCRIBE') 0
		source: EVAL return~redis.call('PUBLISH','a') 0
		source: EVAL return~redis.pcall('SSUBSCRIBE','{b}1').err 0
		source: EVAL_RO return~redis.call('PUBLISH','a','x') 0
		source: EVAL_RO return~redis.call('SPUBLISH','{b}1','x') 0
		source: EVAL return~redis.call('PUBSUB','NUMSUB','a') 0
		source: EVAL return~redis.call('PUBSUB','NUMPAT') 0
		replica: EVAL return~redis.call('PUBLISH','a','z') 0
		source/2<
		replica: EVAL return~redis.call('SPUBLISH','{b}1','z') 0
		source/3<`},
	{"a script publishes to its caller", `
		source: HELLO 3
		source: SUBSCRIBE a
		source: EVAL redis.call('PUBLISH','a','1');return~{'x',redis.call('PUBLISH','a','2')} 0
		source<
		source<
		source: MULTI
		source: ECHO x
		source: EVAL return~redis.call('PUBLISH','a','3') 0
		source: EXEC
		source<`},
}
