package keyslottest

import (
	"strconv"
	"strings"
)

// command is what the front has to know of a command to decide who may run it.
type command struct {
	name     string // lower case, with a subcommand as "client|id"
	arity    int    // number of words, the name included; negative: at least that many
	write    bool
	noAuth   bool // allowed before authentication
	noMulti  bool // refused in a transaction
	noScript bool
	blocking bool
	sharded  bool // sharded pub/sub
	first    int
	last     int
	step     int
}

func (cmd *command) keys(args []string) []string {
	if cmd.first == 0 {
		return nil
	}
	last := cmd.last
	if last < 0 {
		last += len(args)
	}
	if cmd.step == 1 && cmd.first <= last && last < len(args) {
		return args[cmd.first : last+1]
	}
	var keys []string
	for i := cmd.first; i <= last && i < len(args); i += cmd.step {
		keys = append(keys, args[i])
	}
	return keys
}

func (cmd *command) timed(args []string) bool {
	return timed[cmd.name] && !(cmd.name == "set" && len(args) == 3)
}

var timed = map[string]bool{
	"set": true, "setex": true, "psetex": true, "getex": true, "expire": true, "pexpire": true, "expireat": true,
	"pexpireat": true, "expiretime": true, "pexpiretime": true, "ttl": true, "pttl": true, "restore": true, "copy": true,
	"hexpire": true, "hsetex": true, "httl": true, "hpttl": true, "eval": true, "evalsha": true, "time": true, "xadd": true,
}

var provisional = func() map[string]*command {
	m := map[string]*command{}
	for _, line := range strings.Split(`get 2 r 1 1 1
set -3 w 1 1 1
del -2 w 1 -1 1
exists -2 r 1 -1 1
unlink -2 w 1 -1 1
touch -2 r 1 -1 1
mget -2 r 1 -1 1
mset -3 w 1 -1 2
incr 2 w 1 1 1
incrby 3 w 1 1 1
expire -3 w 1 1 1
ttl 2 r 1 1 1
lpush -3 w 1 1 1
rpush -3 w 1 1 1
lrange 4 r 1 1 1
hset -4 w 1 1 1
hget 3 r 1 1 1
blpop -3 w 1 -2 1
watch -2 r 1 -1 1
ping -1 r 0 0 0
echo 2 r 0 0 0
hello -1 a 0 0 0
auth -2 a 0 0 0
quit -1 a 0 0 0
reset 1 a 0 0 0
client -2 r 0 0 0
cluster -2 r 0 0 0
asking 1 r 0 0 0
readonly 1 r 0 0 0
readwrite 1 r 0 0 0
multi 1 r 0 0 0
exec 1 r 0 0 0
discard 1 r 0 0 0
unwatch 1 r 0 0 0
role 1 r 0 0 0
info -1 r 0 0 0
dbsize 1 r 0 0 0
keys 2 r 0 0 0
scan -2 r 0 0 0
randomkey 1 r 0 0 0
flushall -1 w 0 0 0
flushdb -1 w 0 0 0
command -1 r 0 0 0
wait 3 r 0 0 0
select 2 r 0 0 0`, "\n") {
		f := strings.Fields(line)
		n := func(i int) int { v, _ := strconv.Atoi(f[i]); return v }
		m[f[0]] = &command{name: f[0], arity: n(1), write: f[2] == "w", noAuth: f[2] == "a", first: n(3), last: n(4), step: n(5),
			blocking: f[0] == "blpop"}
	}
	return m
}()

func lookup(args []string) *command {
	name := strings.ToLower(args[0])
	if (name == "client" || name == "cluster") && len(args) > 1 {
		return &command{name: name + "|" + strings.ToLower(args[1]), arity: -2}
	}
	return provisional[name]
}
