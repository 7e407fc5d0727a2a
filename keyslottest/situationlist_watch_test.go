package keyslottest_test

import "strings"

// watchSituations ask of one command after the other whether it touches the watched key {b}k. What comes before the
// arrow, in steps parted by semicolons, is done before WATCH.
var watchSituations = []situation{
	{"what touches a watched string", watched(
		"=> SET {b}k x", "SET {b}k x => SET {b}k x", "SET {b}k x => SET {b}k y NX", "=> SET {b}k x XX", "SET {b}k x => SET {b}k x XX GET",
		"SET {b}k x => SET {b}k x NX GET", "=> SET {b}k x NX GET", "=> SET {b}k x XX GET", "SET {b}k x EX 100 => SET {b}k x KEEPTTL",
		"SET {b}k x => GETSET {b}k x", "SET {b}k x => GETDEL {b}k", "=> GETDEL {b}k", "SETEX {b}k 100 x => SETEX {b}k 100 x",
		"PSETEX {b}k 100000 x => PSETEX {b}k 100000 x", "SET {b}k x => SETNX {b}k x", "=> SETNX {b}k x", "SET {b}k x => MSET {b}o 1 {b}k x",
		"SET {b}o x => MSETNX {b}o 1 {b}k x", "=> MSETNX {b}o 1 {b}k x", "SET {b}k x => APPEND {b}k _", "=> APPEND {b}k _",
		"SET {b}k xyz => SETRANGE {b}k 1 y", "SET {b}k xyz => SETRANGE {b}k 1 _", "=> SETRANGE {b}k 0 _",
		"SET {b}k x => SETBIT {b}k 1 1", "=> SETBIT {b}k 1 0", "SET {b}k x => SETBIT {b}k 2 1",
		"SET {b}k x; SET {b}o x => BITOP AND {b}k {b}o", "SET {b}k x => BITOP AND {b}k {b}o", "=> BITOP AND {b}k {b}o",
		"SET {b}k 1 => INCR {b}k", "SET {b}k 1 => INCRBY {b}k 0", "SET {b}k 1 => DECRBY {b}k 0", "SET {b}k 1 => INCRBYFLOAT {b}k 0",
		"SET {b}k x => INCR {b}k", "SET {b}k x => GET {b}k", "SET {b}k x => STRLEN {b}k", "SET {b}k x => SET {b}k x EX 0")},
	{"what touches any watched key", watched(
		"=> DEL {b}k", "SET {b}k x => DEL {b}k", "SET {b}k x => DEL {b}o", "SET {b}k x => UNLINK {b}k", "=> UNLINK {b}k", "SET {b}k x => TOUCH {b}k",
		"SET {b}k x => EXPIRE {b}k 100", "SET {b}k x EX 100 => EXPIRE {b}k 100", "SET {b}k x EX 100 => EXPIRE {b}k 200 NX",
		"SET {b}k x EX 100 => PEXPIRE {b}k 200 GT", "SET {b}k x EX 100 => PEXPIREAT {b}k 33177117420000", "SET {b}k x => EXPIRE {b}k -1",
		"SET {b}k x => EXPIREAT {b}k 1", "=> EXPIRE {b}k 100", "SET {b}k x EX 100 => PERSIST {b}k", "SET {b}k x => PERSIST {b}k", "=> PERSIST {b}k",
		"SET {b}k x => GETEX {b}k", "SET {b}k x => GETEX {b}k EX 100", "SET {b}k x EX 100 => GETEX {b}k EX 100",
		"SET {b}k x EX 100 => GETEX {b}k PERSIST", "SET {b}k x => GETEX {b}k PERSIST", "=> GETEX {b}k EX 100",
		"SET {b}k x; SET {b}o x => RENAME {b}o {b}k", "SET {b}k x; SET {b}o x => RENAME {b}k {b}o", "SET {b}k x; SET {b}o x => RENAMENX {b}o {b}k",
		"SET {b}o x => RENAMENX {b}o {b}k", "SET {b}k x => RENAME {b}o {b}k", "SET {b}k x; SET {b}o x => COPY {b}o {b}k",
		"SET {b}k x; SET {b}o x => COPY {b}o {b}k REPLACE", "SET {b}k x => COPY {b}k {b}o", "SET {b}k x => COPY {b}o {b}k REPLACE",
		"SET {b}o x => FLUSHALL", "SET {b}k x => FLUSHDB", "SET {b}k x PX 500 => BLPOP {b}none 0.7", "SET {b}k x PX 10; BLPOP {b}none 0.1 => PING",
		"SET {b}k x PX 10; BLPOP {b}none 0.1 => GET {b}k", "SET {b}k x PX 10; BLPOP {b}none 0.1 => DEL {b}k")},
	{"what touches a watched hash", watched(
		"HSET {b}k f x => HSET {b}k f x", "HSET {b}k f x => HMSET {b}k f x", "HSET {b}k f x => HSETNX {b}k f y", "HSET {b}k f x => HSETNX {b}k g y",
		"HSET {b}k f x g y => HDEL {b}k f", "HSET {b}k f x => HDEL {b}k g", "HSET {b}k f 1 => HINCRBY {b}k f 0",
		"HSET {b}k f 1 => HINCRBYFLOAT {b}k f 0", "RPUSH {b}k x => HINCRBY {b}k f 1", "HSET {b}k f x => HGETALL {b}k")},
	{"what touches a watched list", watched(
		"RPUSH {b}k x => RPUSH {b}k y", "=> RPUSHX {b}k x", "RPUSH {b}k x y => LPOP {b}k", "RPUSH {b}k x y => LPOP {b}k 0", "RPUSH {b}k x y => RPOP {b}k 2",
		"RPUSH {b}k x => LREM {b}k 0 y", "RPUSH {b}k x y => LREM {b}k 0 y", "RPUSH {b}k x => LSET {b}k 0 x", "RPUSH {b}k x => LSET {b}k 5 x",
		"RPUSH {b}k x => LTRIM {b}k 0 -1", "=> LTRIM {b}k 0 -1", "RPUSH {b}k x => LINSERT {b}k BEFORE y z", "RPUSH {b}k x => LINSERT {b}k BEFORE x z",
		"RPUSH {b}k x => RPOPLPUSH {b}k {b}k", "RPUSH {b}k x => LMOVE {b}o {b}k LEFT LEFT", "RPUSH {b}o x => LMOVE {b}o {b}k LEFT LEFT",
		"RPUSH {b}k x => BLMOVE {b}k {b}k LEFT LEFT 1", "RPUSH {b}k x y => BLPOP {b}k 1", "RPUSH {b}k x y => LMPOP 1 {b}k LEFT",
		"RPUSH {b}k x => LRANGE {b}k 0 -1")},
	{"what touches a watched set", watched(
		"SADD {b}k x => SADD {b}k x", "SADD {b}k x => SADD {b}k x y", "SADD {b}k x => SREM {b}k y", "SADD {b}k x y => SREM {b}k x",
		"SADD {b}k x => SPOP {b}k", "SADD {b}k x y => SPOP {b}k 0", "SADD {b}k x => SMOVE {b}k {b}o y", "SADD {b}k x; SADD {b}o y => SMOVE {b}o {b}k y",
		"SADD {b}k x; SADD {b}o x => SMOVE {b}o {b}k x", "SADD {b}k x => SMOVE {b}k {b}k x",
		"SADD {b}k x; SADD {b}o x => SINTERSTORE {b}k {b}o", "SADD {b}k x; SADD {b}o x => SUNIONSTORE {b}k {b}o", "SADD {b}k x => SDIFFSTORE {b}k {b}o",
		"=> SDIFFSTORE {b}k {b}o", "SADD {b}k x => SMEMBERS {b}k")},
	{"what touches a watched sorted set", watched(
		"ZADD {b}k 1 x => ZADD {b}k 1 x", "ZADD {b}k 1 x => ZADD {b}k 2 x", "ZADD {b}k 1 x => ZADD {b}k NX 2 x", "ZADD {b}k 1 x => ZADD {b}k INCR 0 x",
		"ZADD {b}k 1 x => ZINCRBY {b}k 0 x", "ZADD {b}k 1 x => ZINCRBY {b}k 1 x", "ZADD {b}k 1 x 2 y => ZREM {b}k x", "ZADD {b}k 1 x => ZREM {b}k y",
		"ZADD {b}k 1 x 2 y => ZREMRANGEBYRANK {b}k 0 0", "ZADD {b}k 1 x 2 y => ZREMRANGEBYRANK {b}k 5 6", "ZADD {b}k 1 x 1 y => ZREMRANGEBYLEX {b}k [x [x",
		"ZADD {b}k 1 x 2 y => ZREMRANGEBYSCORE {b}k 1 1", "ZADD {b}k 1 x 2 y => ZPOPMAX {b}k", "ZADD {b}k 1 x 2 y => ZPOPMIN {b}k",
		"ZADD {b}k 1 x 2 y => BZPOPMIN {b}k 1", "ZADD {b}k 1 x 2 y => BZPOPMAX {b}k 1", "ZADD {b}k 1 x 2 y => ZMPOP 1 {b}k MIN",
		"ZADD {b}k 1 x 2 y => EVAL return~redis.call('zrem',KEYS[1],'x') 1 {b}k", "ZADD {b}k 1 x; ZADD {b}o 1 x => ZUNIONSTORE {b}k 1 {b}o",
		"ZADD {b}k 1 x => ZINTERSTORE {b}k 1 {b}o", "=> ZINTERSTORE {b}k 1 {b}o", "GEOADD {b}k 1 1 x => GEOADD {b}k 1 1 x",
		"GEOADD {b}k 1 1 x => GEOADD {b}k 2 2 x", "PFADD {b}k x => PFADD {b}k x", "PFADD {b}k x => PFADD {b}k y", "PFADD {b}k x => PFMERGE {b}k {b}k")},
	{"what touches a watched stream", watched(
		"=> XADD {b}k 1-1 f v", "XADD {b}k 1-1 f v => XADD {b}k 1-1 f v", "=> XADD {b}k NOMKSTREAM 1-1 f v", "=> XADD {b}k MAXLEN 0 1-1 f v",
		"XADD {b}k 1-1 f v => XTRIM {b}k MAXLEN 0", "XADD {b}k 1-1 f v => XTRIM {b}k MAXLEN 5", "XADD {b}k 1-1 f v => XDEL {b}k 1-1",
		"XADD {b}k 1-1 f v => XDEL {b}k 1-2", "XADD {b}k 1-1 f v => XGROUP CREATE {b}k g 0", "=> XGROUP CREATE {b}k g 0 MKSTREAM",
		"XADD {b}k 1-1 f v; XGROUP CREATE {b}k g 0 => XREADGROUP GROUP g c STREAMS {b}k >",
		"XADD {b}k 1-1 f v; XGROUP CREATE {b}k g 0; XREADGROUP GROUP g c STREAMS {b}k > => XACK {b}k g 1-1",
		"XADD {b}k 1-1 f v; XGROUP CREATE {b}k g 0; XREADGROUP GROUP g c STREAMS {b}k > => XCLAIM {b}k g d 0 1-1",
		"XADD {b}k 1-1 f v; XGROUP CREATE {b}k g 0 => XGROUP DESTROY {b}k g", "XADD {b}k 1-1 f v; XGROUP CREATE {b}k g 0 => XGROUP CREATECONSUMER {b}k g c")},
	{"scripts that touch a watched key", watched(
		"SET {b}k x => EVAL return~redis.call('SET',KEYS[1],'x') 1 {b}k", "SET {b}k x => EVAL return~redis.call('SET','{b}k','x') 0",
		"SET {b}k x => EVAL return~redis.call('SET',KEYS[1],'x','NX') 1 {b}k", "SET {b}k x => EVAL return~redis.call('GET',KEYS[1]) 1 {b}k",
		"=> EVAL redis.call('SET',KEYS[1],'x')~return~redis.call('DEL',KEYS[1]) 1 {b}k",
		"RPUSH {b}k x => EVAL redis.pcall('INCR',KEYS[1])~return~1 1 {b}k")},
	{"a watched key that moves is touched", `
		source: SET {b}k x
		source: WATCH {b}k
		open
		move {b}k
		source: MULTI
		source: EXEC`},
	{"transactions and clients that touch a watched key", `
		source: SET {b}k x
		source: WATCH {b}k {b}o
		source/2: MULTI
		source/2: SET {b}k x
		source/2: EXEC
		source: MULTI
		source: EXEC
		source: WATCH {b}k
		source/2: WATCH {b}k
		source: SET {b}k x
		source: MULTI
		source: EXEC
		source: MULTI
		source: EXEC
		source/2: MULTI
		source/2: EXEC
		source: WATCH {b}k
		source/2: SET {b}k y
		source/2: SET {b}k x
		source: WATCH {b}k
		source: MULTI
		source: SET {b}k z
		source: EXEC
		source: WATCH {b}k
		source: MULTI
		source: SET {b}k z
		source: EXEC
		source: WATCH {b}k
		source/2: SET {b}k x
		source: MULTI
		source: DISCARD
		source: MULTI
		source: EXEC
		source: WATCH {b}k
		source/2: SET {b}k x
		source: RESET
		source: MULTI
		source: EXEC`},
}

func watched(cases ...string) string {
	var script strings.Builder
	for _, c := range cases {
		before, command, _ := strings.Cut(c, "=> ")
		script.WriteString("source: DEL {b}k {b}o\n")
		for step := range strings.SplitSeq(before, ";") {
			if step = strings.TrimSpace(step); step != "" {
				script.WriteString("source: " + step + "\n")
			}
		}
		script.WriteString("source: WATCH {b}k\nsource/2: " + command + "\nsource: MULTI\nsource: EXEC\n")
	}
	return script.String()
}
