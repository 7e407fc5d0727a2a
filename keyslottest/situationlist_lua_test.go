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
		source: EVAL return~redis.call('WAIT',1,0) 0
		source: EVAL return~redis.call('BLPOP',KEYS[1],0) 1 {b}1
		source: EVAL return~redis.call('XREAD','STREAMS',KEYS[1],'0') 1 {b}x
		source: EVAL return~redis.call('XREAD','BLOCK',0,'STREAMS',KEYS[1],'0') 1 {b}x
		source: XADD {b}x 1-1 f v
		source: XGROUP CREATE {b}x g 0
		source: EVAL return~redis.call('XREAD','BLOCK',0,'STREAMS',KEYS[1],'0') 1 {b}x
		source: EVAL return~redis.call('XREADGROUP','GROUP','g','c','STREAMS',KEYS[1],'>') 1 {b}x
		source: EVAL return~redis.call('XREADGROUP','GROUP','g','c','STREAMS',KEYS[1],'>') 1 {b}x
		source: EVAL return~redis.call('ROLE')[1] 0
		source: EVAL return~redis.call('COMMAND','GETKEYS','GET','x') 0
		source: EVAL return~type(redis.call('INFO')) 0
		source: DEL {b}x
		source: EVAL_RO return~redis.call('FLUSHALL') 0
		source> BLPOP {b}l 0
		blocked 1
		source/2: EVAL redis.call('FLUSHALL')~redis.call('RPUSH',KEYS[1],'x')~return~redis.call('DBSIZE') 1 {b}l
		source<
		source/2: DBSIZE`},
	{"numbers become text", `
		source: EVAL return~redis.call('SET',KEYS[1],0.1) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],17000000000000000) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],1e20) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],-1e-7) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],1/3) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],1/0) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],-1/0) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],5) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.call('SET',KEYS[1],9007199254740993) 1 {b}1
		source: GET {b}1
		source: EVAL return~redis.pcall('SET',KEYS[1],2^53) 1 {b}1
		source: GET {b}1
		source: EVAL return~{tostring(1/3),tostring(5),tostring(17000000000000000),tostring(1e14),tostring(1e15),tostring(0.1),tostring(-0.1),tostring(1e300)} 0
		source: EVAL return~{tostring(nil),tostring(true),tostring('x'),tostring(1/0),tostring(-1/0),tostring(123456789012345),tostring(0.1+0.2)} 0
		source: EVAL return~{''..0.1,''..5,5~..'x',''..100000} 0`},
	{"JSON", `
		source: EVAL return~cjson.encode({}) 0
		source: EVAL return~cjson.encode({1,2,3}) 0
		source: EVAL return~cjson.encode({1,nil,3}) 0
		source: EVAL return~cjson.encode({a=1}) 0
		source: EVAL return~cjson.encode(cjson.decode('{"a":null}')) 0
		source: EVAL return~cjson.encode({[1]='x',[5]='y'}) 0
		source: EVAL return~cjson.encode({[1]='x',[20]='y'}) 0
		source: EVAL return~cjson.encode({[1]='x',[200]='y'}) 0
		source: EVAL return~cjson.encode({[1.5]='x'}) 0
		source: EVAL return~cjson.encode({[0]='x'}) 0
		source: EVAL return~cjson.encode({[-1]='x'}) 0
		source: EVAL return~cjson.encode({1,2,a=3}) 0
		source: EVAL return~cjson.encode({[true]=1}) 0
		source: EVAL return~{cjson.encode(nil),cjson.encode(cjson.null),cjson.encode(true),cjson.encode(false),cjson.encode('x')} 0
		source: EVAL return~{cjson.encode(1),cjson.encode(1.5),cjson.encode(0.1),cjson.encode(1/3),cjson.encode(1e15),cjson.encode(17000000000000000),cjson.encode(-1e-7),cjson.encode(2^53)} 0
		source: EVAL return~cjson.encode(1/0) 0
		source: EVAL return~cjson.encode(0/0) 0
		source: EVAL return~cjson.encode(print) 0
		source: EVAL return~cjson.encode(redis.call) 0
		source: EVAL return~cjson.encode({print}) 0
		source: EVAL return~cjson.encode('/"\\\n\t\b\f\r<>&\1\127é') 0
		source: EVAL return~cjson.encode({'a',{'b',{c={}}}}) 0
		source: EVAL return~cjson.encode(cjson.decode('[]')) 0
		source: EVAL return~cjson.encode(cjson.decode('[null]')) 0
		source: EVAL return~cjson.encode(cjson.decode('[1,null,3]')) 0
		source: EVAL return~#cjson.decode('[1,null,3]') 0
		source: EVAL return~cjson.decode('[1,null,3]') 0
		source: EVAL return~cjson.decode('null') 0
		source: EVAL return~cjson.decode('null')==cjson.null 0
		source: EVAL return~type(cjson.null) 0
		source: EVAL return~tostring(cjson.null) 0
		source: EVAL return~cjson.decode('{"a":null}').a==cjson.null 0
		source: EVAL return~cjson.decode('true') 0
		source: EVAL return~cjson.decode('false') 0
		source: EVAL return~cjson.decode('5') 0
		source: EVAL return~tostring(cjson.decode('1.5e3')) 0
		source: EVAL return~tostring(cjson.decode('~[~1~,~2~]~')[2]) 0
		source: EVAL return~cjson.decode('"a\\u00e9\\n\\/\\\\\\""') 0
		source: EVAL return~cjson.decode('"\\ud83d\\ude00"') 0
		source: EVAL return~cjson.decode('x') 0
		source: EVAL return~cjson.decode('') 0
		source: EVAL return~cjson.decode('{') 0
		source: EVAL return~cjson.decode('[1,]') 0
		source: EVAL return~cjson.decode('{"a"}') 0
		source: EVAL return~cjson.decode('{"a":}') 0
		source: EVAL return~cjson.decode('{a:1}') 0
		source: EVAL return~cjson.decode('[1~2]') 0
		source: EVAL return~cjson.decode('1~2') 0
		source: EVAL return~cjson.decode('"abc') 0
		source: EVAL return~cjson.decode('"\\x"') 0
		source: EVAL return~cjson.decode('[1,2') 0
		source: EVAL return~cjson.decode('tru') 0
		source: EVAL return~cjson.decode('nul') 0
		source: EVAL return~cjson.decode('01') 0
		source: EVAL return~cjson.decode('-') 0
		source: EVAL return~cjson.decode('.5') 0
		source: EVAL return~tostring(cjson.decode('1.')) 0
		source: EVAL return~cjson.decode('1e') 0
		source: EVAL return~cjson.decode('"\\ud83d"') 0
		source: EVAL return~cjson.decode('{"a":1,}') 0
		source: EVAL return~cjson.decode('{1:2}') 0
		source: EVAL return~cjson.decode(']') 0
		source: EVAL return~cjson.decode('"a\nb"') 0
		source: EVAL return~cjson.decode() 0
		source: EVAL return~cjson.encode() 0
		source: EVAL return~cjson.encode(1,2) 0
		source: EVAL return~cjson.decode(5) 0
		source: EVAL return~cjson.decode({}) 0
		source: EVAL return~cjson.decode('0x10') 0
		source: EVAL return~tostring(cjson.decode('nan')) 0
		source: EVAL return~tostring(cjson.decode('inf')) 0
		source: EVAL return~tostring(cjson.decode('-Infinity')) 0
		source: EVAL return~{pcall(cjson.decode,'x')} 0
		source: EVAL return~cjson.decode(string.rep('[',1001)..string.rep(']',1001)) 0
		source: EVAL return~#cjson.decode(string.rep('[',1000)..string.rep(']',1000)) 0
		source: EVAL return~{cjson._NAME,cjson._VERSION} 0
		source: EVAL return~cjson.decode('{"a":{"b":[1,{"c":"d"}]}}').a.b[2].c 0
		source: EVAL return~cjson.decode('{"1":"x"}')['1'] 0
		source: EVAL local~t={}~for~i=1,1001~do~t={t}~end~return~cjson.encode(t) 0
		source: EVAL local~t={}~t[1]=t~return~cjson.encode(t) 0
		source: EVAL local~t={}~for~i=1,999~do~t={t}~end~return~#cjson.encode(t) 0
		source: EVAL return~{cjson.encode({a='x'}),cjson.encode({n=1.0}),cjson.encode({list={1,2}}),cjson.encode({[1]=cjson.null})} 0`},
	{"what scripts answer", `
		source: HSET {b}h f v
		source: SADD {b}s x
		source: ZADD {b}z 1.5 x
		source: EVAL error('x') 0
		source: EVAL error({err='MY~x'}) 0
		source: EVAL error({err='MY~x'},0) 0
		source: EVAL error('x',0) 0
		source: EVAL error() 0
		source: EVAL error(5) 0
		source: EVAL return~{pcall(error,'x')} 0
		source: EVAL return~{pcall(function()~error('x')~end)} 0
		source: EVAL return~redis.pcall('NOSUCH') 0
		source: EVAL return~redis.pcall('NOSUCH').err 0
		source: EVAL return~redis.pcall('GET','a').err 0
		source: EVAL return~redis.call() 0
		source: EVAL return~redis.pcall() 0
		source: EVAL return~redis.call({}) 0
		source: EVAL return~redis.call(true) 0
		source: EVAL return~redis.pcall({}) 0
		source: EVAL local~ok,e=pcall(redis.call,'GET')~return~{ok,type(e),e.err} 0
		source: EVAL local~ok,e=pcall(redis.call,'NOSUCH')~return~e 0
		source: EVAL return~redis.error_reply('MY~x') 0
		source: EVAL return~redis.error_reply('-MY~x') 0
		source: EVAL return~redis.error_reply('x') 0
		source: EVAL return~redis.error_reply(5) 0
		source: EVAL return~redis.error_reply() 0
		source: EVAL return~redis.status_reply('FINE') 0
		source: EVAL return~redis.status_reply() 0
		source: EVAL return~{err='x'} 0
		source: EVAL return~{ok='x'} 0
		source: EVAL return~{1,2,nil,4} 0
		source: EVAL return~{1.9,-1.9,true,false,'x',{}} 0
		source: EVAL return~3.99 0
		source: EVAL return~true 0
		source: EVAL return~false 0
		source: EVAL return~nil 0
		source: EVAL return 0
		source: EVAL return~print 0
		source: EVAL return~x 0
		source: EVAL x=1 0
		source: EVAL return~redis.sha1hex('') 0
		source: EVAL return~redis.sha1hex() 0
		source: EVAL return~redis.setresp(4) 0
		source: EVAL return~redis.setresp() 0
		source: EVAL return~{redis.LOG_DEBUG,redis.LOG_WARNING} 0
		source: EVAL redis.log(redis.LOG_WARNING,'x') 0
		source: EVAL return~type(os.clock()) 0
		source: EVAL return~redis.replicate_commands() 0
		source: EVAL return~#KEYS+#ARGV 0
		source: EVAL return~cjson.encode(KEYS) 0
		source: EVAL return~string.format('%.17g~%d~%s',0.1,5,'x') 0
		source: EVAL return~tonumber('0x10') 0
		source: EVAL return~math.floor(3.7) 0
		source: EVAL return~table.concat({1,2,3},',') 0
		source: EVAL return~{string.find('abc','b')} 0
		source: EVAL return~unpack({1,2}) 0
		source: EVAL return~select('#',1,2,3) 0
		source: EVAL return~os.time() 0
		source: EVAL return~require('x') 0
		source: EVAL return~math.huge 0
		source: EVAL return~{KEYS[1],ARGV[1]} 0
		source: EVAL return~tostring(2^63) 0
		source: EVAL redis.setresp(3)~return~redis.call('HGETALL','{b}h').map.f 0
		source: EVAL redis.setresp(3)~return~redis.call('GET','{b}none')==nil 0
		source: EVAL redis.setresp(3)~return~redis.call('SMEMBERS','{b}s').set.x 0
		source: EVAL redis.setresp(3)~return~redis.call('ZSCORE','{b}z','x').double*10 0
		source: EVAL redis.setresp(3)~return~redis.call('HGETALL','{b}h') 0
		source: EVAL redis.setresp(3)~return~redis.call('SMEMBERS','{b}s') 0
		source: EVAL redis.setresp(3)~return~true 0
		source: EVAL redis.setresp(3)~return~redis.call('ZSCORE','{b}z','x') 0
		source: EVAL redis.setresp(3)~return~false 0
		source: EVAL return~{double=1.5} 0
		source: EVAL return~{map={a=1}} 0
		source: EVAL return~{set={a=true}} 0
		source: EVAL return~{#KEYS,#ARGV,KEYS[1],ARGV[1]} 1 {b}1 x y
		source: EVAL return~1 x
		source: EVAL return~1 -1
		source: EVAL return~1 2 {b}1
		source: EVAL return~1
		source: EVALSHA 0 x
		source: EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 5
		source: SCRIPT LOAD return~1
		source: SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		source: EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
		source: MULTI
		source: EVAL redis.call('SET',KEYS[1],'x')~error('x') 1 {b}1
		source: EVAL return~redis.call('GET',KEYS[1]) 1 {b}1
		source: EXEC`},
}
