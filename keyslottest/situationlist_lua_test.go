package keyslottest_test

// luaSituations are about what scripts can call, and what they see of it.
var luaSituations = []situation{
	{"a rate limiter", `
		source: EVAL local~n=redis.call('INCR',KEYS[1])~if~redis.call('TTL',KEYS[1])<0~then~redis.call('EXPIRE',KEYS[1],100)~end~return~{n,redis.call('TTL',KEYS[1])} 1 {b}1
		source: EVAL local~n=redis.call('INCR',KEYS[1])~if~redis.call('TTL',KEYS[1])<0~then~redis.call('EXPIRE',KEYS[1],100)~end~return~{n,redis.call('ttl',KEYS[1])} 1 {b}1
		source: EVAL return~redis.call('PTTL',KEYS[1]) 1 {b}none
		source: EVAL return~redis.call('TTL',KEYS[1]) 1 {b}none
		source: EVAL return~redis.call('TTL','c') 0`},
	{"a script looks at what its node has", `
		source: EVAL return~redis.call('CLUSTER','KEYSLOT','b') 0
		source: EVAL return~redis.call('DBSIZE') 0
		source: EVAL return~redis.call('RANDOMKEY') 0
		source: SET {b}1 x
		source: EVAL redis.call('SET',KEYS[1],'x')~return~redis.call('DBSIZE') 1 {b}2
		source: EVAL redis.call('DEL',KEYS[1])~return~redis.call('DBSIZE') 1 {b}1
		source: EVAL redis.call('SET',KEYS[1],'x')~redis.call('DEL',KEYS[1])~return~redis.call('DBSIZE') 1 {b}3
		source: EVAL return~redis.call('RANDOMKEY') 0
		source: EVAL return~redis.call('KEYS','*') 0
		source: EVAL return~redis.call('SCAN','0','COUNT','100000','MATCH','*2','TYPE','string') 0
		source: EVAL return~redis.call('SCAN','0','COUNT','100000','TYPE','hash') 0
		source: EVAL return~redis.call('SCAN','x') 0
		source: DBSIZE
		source: EVAL_RO return~{redis.call('TTL',KEYS[1]),redis.call('DBSIZE'),redis.call('SCAN','0','COUNT','100000'),redis.call('TYPE',KEYS[1])} 1 {b}2
		source: EVAL_RO return~{redis.call('RANDOMKEY'),redis.call('KEYS','*'),redis.call('CLUSTER','COUNTKEYSINSLOT','3300')} 0
		source: EVAL return~redis.call('MULTI') 0
		source: EVAL_RO return~redis.call('FLUSHALL') 0
		source> BLPOP {b}l 0
		blocked 1
		source/2: EVAL redis.call('FLUSHALL')~redis.call('RPUSH',KEYS[1],'x')~return~redis.call('DBSIZE') 1 {b}l
		source<
		source/2: DBSIZE`},
}
