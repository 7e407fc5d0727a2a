package keyslottest_test

import "slices"

// situations is the list; see type situation for the language.
var situations = slices.Concat(clusterSituations, serverSituations, watchSituations, blockingSituations, valueSituations,
	typeSituations, xinfoSituations, luaSituations, misuseSituations, pubsubSituations)

// clusterSituations are about what only a cluster does: redirects, and what they do to transactions, scripts and
// clients that wait.
var clusterSituations = []situation{
	{"own and foreign keys", `
		source: SET {b}1 x
		source: GET {b}1
		source: GET c
		target: GET {b}1
		other: SET c 1
		source: PING
		source: ECHO a~word`},
	{"keys of several slots", `
		source: MGET {b}1 c
		target: MGET {b}1 a
		source: MSET {b}1 x {b}2 y
		source: MGET {b}1 {b}2 {b}1
		source: DEL {b}1 c
		source: RENAME {b}1 c`},
	{"unknown commands and wrong arities come before redirects", `
		target: NOSUCH {b}1 two
		target: GET
		target: GET {b}1 two
		source: SET {b}1
		source: CLUSTER NOSUCH
		source: CLUSTER KEYSLOT
		source: CLIENT NOSUCH
		source: CLIENT SETNAME
		source: nosuch
		source: OBJECT NOSUCH {b}1`},
	{"migrating slot, single keys", `
		source: SET {b}1 x
		open
		source: GET {b}1
		source: GET {b}2
		source: SET {b}2 y
		source: SET {b}1 z
		other: GET {b}1`},
	{"migrating slot, a moved key", `
		source: SET {b}1 x
		open
		move {b}1
		source: GET {b}1
		target: GET {b}1
		target: ASKING
		target: GET {b}1
		target: GET {b}1`},
	{"ASKING is for one command", `
		source: SET {b}1 x
		open
		move {b}1
		target: ASKING
		target: PING
		target: GET {b}1
		target: ASKING
		target: GET {b}1
		target: GET {b}1
		target: ASKING
		target: ASKING
		target: GET {b}1
		target: ASKING
		target: NOSUCH
		target: GET {b}1`},
	{"ASKING without a migration is nothing", `
		target: ASKING
		target: GET {b}1
		source: ASKING
		source: GET {b}1`},
	{"several keys while a slot migrates", `
		source: MSET {b}1 x {b}2 y
		open
		source: MGET {b}1 {b}2
		source: MGET {b}1 {b}3
		source: MGET {b}3 {b}4
		source: MGET {b}1 {b}1
		move {b}1
		source: MGET {b}1 {b}2
		source: DEL {b}1 {b}2
		target: ASKING
		target: MGET {b}1 {b}2
		target: ASKING
		target: MGET {b}1 {b}1
		target: ASKING
		target: MGET {b}3 {b}4
		move {b}2
		source: MGET {b}1 {b}2
		target: ASKING
		target: MGET {b}1 {b}2`},
	{"a new key is born at the target", `
		open
		source: SET {b}1 x
		target: ASKING
		target: SET {b}1 x
		source: GET {b}1
		target: ASKING
		target: GET {b}1
		finish
		target: GET {b}1
		source: GET {b}1`},
	{"a finished migration", `
		source: SET {b}1 x
		open
		move {b}1
		finish
		source: GET {b}1
		source: SET {b}2 y
		target: GET {b}1
		target: MGET {b}1 {b}2
		other: GET {b}1
		replica: GET {b}1`},
	{"keys are counted where they are", `
		source: MSET {b}1 x {b}2 y
		source: CLUSTER COUNTKEYSINSLOT 3300
		open
		move {b}1
		source: CLUSTER COUNTKEYSINSLOT 3300
		target: CLUSTER COUNTKEYSINSLOT 3300
		source: CLUSTER GETKEYSINSLOT 3300 10
		target: CLUSTER GETKEYSINSLOT 3300 10
		source: DBSIZE
		target: DBSIZE
		source: KEYS *
		target: KEYS *
		source: CLUSTER COUNTKEYSINSLOT 16384
		source: CLUSTER COUNTKEYSINSLOT x
		source: CLUSTER GETKEYSINSLOT 0 -1`},
	{"a transaction", `
		source: MULTI
		source: SET {b}1 x
		source: INCR {b}1
		source: GET {b}1
		source: EXEC
		source: GET {b}1`},
	{"nothing to run", `
		source: EXEC
		source: DISCARD
		source: MULTI
		source: EXEC
		source: MULTI
		source: DISCARD
		source: MULTI
		source: MULTI
		source: SET {b}1 x
		source: EXEC`},
	{"a syntax error shows only when the transaction runs", `
		source: MULTI
		source: SET {b}1 x NOSUCH
		source: SET {b}1 y
		source: EXEC
		source: GET {b}1`},
	{"a command that cannot be queued spoils the transaction", `
		source: MULTI
		source: SET {b}1 x
		source: GET
		source: SET {b}1 y
		source: EXEC
		source: GET {b}1
		source: MULTI
		source: NOSUCH
		source: EXEC`},
	{"MOVED while queueing", `
		source: MULTI
		source: SET {b}1 x
		source: SET c x
		source: SET {b}1 y
		source: EXEC
		source: GET {b}1
		source: EXEC`},
	{"EXEC over two slots of one node", `
		source: MULTI
		source: SET {b}1 x
		source: SET key:1 x
		source: SET key:6 x
		source: EXEC
		source: GET {b}1
		source: EXEC`},
	{"ASK while queueing", `
		open
		source: MULTI
		source: SET {b}1 x
		source: EXEC
		target: ASKING
		target: MULTI
		target: SET {b}1 x
		target: GET {b}1
		target: EXEC
		target: GET {b}1`},
	{"ASKING inside a transaction is useless", `
		source: SET {b}1 x
		open
		move {b}1
		target: MULTI
		target: ASKING
		target: GET {b}1
		target: EXEC`},
	{"the slot leaves between queueing and EXEC", `
		source: SET {b}1 x
		source: MULTI
		source: SET {b}1 y
		source: GET {b}1
		open
		move {b}1
		source: EXEC
		source: EXEC
		source: MULTI
		finish
		source: GET {b}1
		source: EXEC`},
	{"some keys leave between queueing and EXEC", `
		source: MSET {b}1 x {b}2 y
		source: MULTI
		source: GET {b}1
		source: GET {b}2
		open
		move {b}1
		source: EXEC`},
	{"WATCH", `
		source: SET {b}1 x
		source: WATCH {b}1
		source: MULTI
		source: GET {b}1
		source: EXEC
		source: WATCH {b}1
		source/2: SET {b}1 y
		source: MULTI
		source: GET {b}1
		source: EXEC
		source: WATCH {b}1
		source/2: SET {b}1 z
		source: UNWATCH
		source: MULTI
		source: GET {b}1
		source: EXEC`},
	{"WATCH knows slots", `
		source: WATCH c
		source: WATCH {b}1 key:1
		source: WATCH {b}1
		source: WATCH key:1
		source: MULTI
		source: WATCH {b}1
		source: PING
		source: EXEC`},
	{"WATCH and a deleted key", `
		source: SET {b}1 x
		source: WATCH {b}1
		source/2: DEL {b}1
		source: MULTI
		source: PING
		source: EXEC`},
	{"a watched key migrates", `
		source: SET {b}1 x
		source: WATCH {b}1
		source: MULTI
		source: GET {b}1
		open
		move {b}1
		source: EXEC`},
	{"WATCH at the importing node", `
		source: SET {b}1 x
		open
		move {b}1
		target: ASKING
		target: WATCH {b}1
		target: ASKING
		target: MULTI
		target: GET {b}1
		target: EXEC`},
	{"a replica redirects until READONLY", `
		replica: GET {b}1
		replica: READONLY
		replica: GET {b}1
		replica: SET {b}1 x
		replica: GET c
		replica: MGET {b}1 {b}2
		replica: MGET {b}1 c
		replica: READWRITE
		replica: GET {b}1`},
	{"a replica and writes without keys", `
		replica: FLUSHALL
		replica: READONLY
		replica: FLUSHALL
		replica: PING
		replica: DBSIZE`},
	{"a transaction on a replica", `
		replica: READONLY
		replica: MULTI
		replica: GET {b}1
		replica: EXEC
		replica: MULTI
		replica: GET {b}1
		replica: SET {b}1 x
		replica: EXEC
		replica: MULTI
		replica: FLUSHALL
		replica: EXEC`},
	{"a failover", `
		source: SET {b}1 x
		failover
		source: GET {b}1
		replica: GET {b}1
		replica: SET {b}1 y
		target: GET {b}1
		source: READONLY
		source: SET {b}2 y`},
	{"blocking commands that need not wait", `
		source: RPUSH {b}1 x y
		source: BLPOP {b}1 0
		source: BRPOP {b}2 {b}1 0
		source: BLPOP {b}1 0.01
		source: BLPOP {b}1 x
		source: BLPOP {b}1 -1
		source: BLPOP c 0
		source: BLPOP {b}1 c 0
		source: SET {b}1 x
		source: BLPOP {b}1 0
		source: MULTI
		source: BLPOP {b}3 0
		source: EXEC`},
	{"blocking commands that wait", `
		source> BLPOP {b}1 {b}2 0
		blocked 1
		source/2: RPUSH {b}2 x y
		source<
		source/2: LRANGE {b}2 0 -1
		source> BLMOVE {b}3 {b}4 LEFT RIGHT 0
		blocked 1
		source/2: RPUSH {b}3 x
		source<
		source/2: LRANGE {b}4 0 -1
		source> BZPOPMIN {b}5 0
		blocked 1
		source/2: ZADD {b}5 1 x 2 y
		source<`},
	{"blocking commands that wait in vain", `
		source: BLPOP {b}1 0.01
		source: BLPOP {b}1 0.0000000001
		source: BLPOP {b}1 nan
		source: BLMOVE {b}1 {b}2 LEFT RIGHT 0.01
		source: BRPOPLPUSH {b}1 {b}2 0.01
		source: BZPOPMIN {b}1 0.01
		source: BZMPOP 0.01 1 {b}1 MIN
		source: XREAD BLOCK 10 STREAMS {b}1 0
		source: MULTI
		source: BLPOP {b}1 0
		source: BLMOVE {b}1 {b}2 LEFT RIGHT 0
		source: BRPOPLPUSH {b}1 {b}2 0
		source: BZPOPMIN {b}1 0
		source: BZMPOP 0 1 {b}1 MIN
		source: XREAD BLOCK 0 STREAMS {b}1 0
		source: EXEC`},
	{"blocked clients are served in turn", `
		source> BLPOP {b}1 0
		blocked 1
		source/2> BLPOP {b}1 0
		blocked 2
		source/3: RPUSH {b}1 x
		source<
		source/3: RPUSH {b}1 y
		source/2<`},
	{"blocked in a transaction's wake", `
		source> BLPOP {b}1 0
		blocked 1
		source/2: MULTI
		source/2: RPUSH {b}1 x
		source/2: RPUSH {b}1 y
		source/2: LPUSH {b}1 z
		source/2: EXEC
		source<`},
	{"a stream is waited for", `
		source: XADD {b}1 1-1 f v
		source> XREAD BLOCK 0 STREAMS {b}1 $
		blocked 1
		source/2: XADD {b}1 2-1 f v
		source<
		source: XREAD BLOCK 10 STREAMS {b}1 $`},
	{"blocked while the slot leaves", `
		source> BLPOP {b}1 0
		blocked 1
		open
		source/2: PING
		finish
		source<
		source: PING`},
	{"blocked while the key is born at the target", `
		source> BLPOP {b}1 0
		blocked 1
		open
		target: ASKING
		target: RPUSH {b}1 x y
		target: ASKING
		target: LLEN {b}1
		finish
		source<
		target: LRANGE {b}1 0 -1`},
	{"blocked at the target", `
		open
		target: ASKING
		target> BLPOP {b}1 0
		target/2: ASKING
		target/2: RPUSH {b}1 x
		target<`},
	{"about to block on a migrating slot", `
		open
		source: BLPOP {b}1 0
		target: BLPOP {b}1 0
		target: ASKING
		target: BLPOP {b}1 0.01`},
	{"blocked while the primary is demoted", `
		source> BLPOP {b}1 0
		blocked 1
		failover
		source<
		source.`},
	{"blocked while the primary is demoted, with a pipeline behind", `
		source> BLPOP {b}1 0
		source> INCR {b}2
		blocked 1
		failover
		source<
		source.
		replica: GET {b}2`},
	{"a script", `
		source: EVAL return~redis.call('SET',KEYS[1],ARGV[1]) 1 {b}1 x
		source: EVAL return~redis.call('GET',KEYS[1]) 1 {b}1
		source: EVAL return~{1,'two',{3}} 0
		source: EVAL return~{err='MOVED~1~10.0.0.1:1'} 1 {b}1
		source: EVAL return~redis.error_reply('ASK') 1 {b}1
		source: EVAL return~1 1 c
		source: EVAL return~1 2 {b}1 c
		target: EVAL return~1 1 {b}1
		source: EVALSHA 0000000000000000000000000000000000000000 1 {b}1
		source: SCRIPT LOAD return~5
		source: EVALSHA 4ca238f611c9d0ae4e9a75a5dbac22aedc1e44bc 0
		source: SCRIPT EXISTS 4ca238f611c9d0ae4e9a75a5dbac22aedc1e44bc`},
	{"a script writes for those who wait and those who list", `
		source> BLPOP {b}1 0
		blocked 1
		source/2: EVAL redis.call('SET','{b}2','x')~return~redis.call('RPUSH',KEYS[1],'y','z') 1 {b}1
		source<
		source: DBSIZE
		source: CLUSTER COUNTKEYSINSLOT 3300
		source: EVAL return~redis.call('DEL',KEYS[1],'{b}2') 1 {b}1
		source: KEYS *`},
	{"a script that reaches too far", `
		source: EVAL return~redis.call('GET','c') 0
		source: EVAL redis.call('SET',KEYS[1],'x')~return~redis.call('SET','a','y') 1 {b}1
		source: GET {b}1
		source: RPUSH {b}2 x
		source: EVAL return~redis.call('GET',KEYS[1]) 1 {b}2
		source: EVAL return~redis.call('NOSUCH') 0`},
	{"a script on a migrating slot", `
		source: SET {b}1 x
		open
		source: EVAL return~redis.call('GET',KEYS[1]) 1 {b}1
		source: EVAL return~redis.call('GET',KEYS[1]) 1 {b}2
		move {b}1
		source: EVAL return~redis.call('GET',KEYS[1]) 1 {b}1
		target: ASKING
		target: EVAL return~redis.call('GET',KEYS[1]) 1 {b}1`},
	{"a script on a replica", `
		replica: READONLY
		replica: EVAL return~redis.call('GET',KEYS[1]) 1 {b}1
		replica: EVAL return~redis.call('SET',KEYS[1],'x') 1 {b}1
		replica: EVAL_RO return~redis.call('GET',KEYS[1]) 1 {b}1`},
}
