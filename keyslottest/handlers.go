package keyslottest

import (
	"crypto/subtle"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// serverVersion is the version whose replies are followed where versions differ.
const serverVersion = "7.0.15"

// handlers are the commands of the connection and of the server: miniredis must not see them, as it knows neither nodes
// nor this cluster's clients.
func handlers() map[string]handler {
	table := map[string]handler{
		"PING": ping, "ECHO": echo, "QUIT": quit, "RESET": resetSession, "SELECT": selectDB,
		"HELLO": hello, "AUTH": auth,
		"READONLY":  func(cn *conn, _ []string) { cn.readonly = true; cn.out.ok() },
		"READWRITE": func(cn *conn, _ []string) { cn.readonly = false; cn.out.ok() },
		"ASKING":    func(cn *conn, _ []string) { cn.asking = true; cn.out.ok() },
		"MULTI":     multi, "EXEC": exec, "DISCARD": discard, "WATCH": watchKeys, "UNWATCH": unwatch,
		"SCRIPT LOAD": scriptLoad, "SCRIPT EXISTS": scriptExists, "SCRIPT FLUSH": scriptFlush,
		"ROLE": role, "INFO": info, "WAIT": waitReplicas,
		"SCAN": scan, "KEYS": keysLike, "DBSIZE": dbsize, "RANDOMKEY": randomKey, "FLUSHALL": flush, "FLUSHDB": flush,
		"COMMAND COUNT": commandCount, "COMMAND GETKEYS": commandGetKeys,
		"SWAPDB": notInCluster("SWAPDB is"), "MOVE": notInCluster("MOVE is"),
	}
	for name, h := range pubsubHandlers() {
		table[name] = h
	}
	for name, h := range clientHandlers() {
		table["CLIENT "+name] = h
	}
	for name, h := range clusterHandlers() {
		table["CLUSTER "+name] = h
	}
	return table
}

func notInCluster(what string) handler {
	return func(cn *conn, _ []string) { cn.out.error("ERR " + what + " not allowed in cluster mode") }
}

func ping(cn *conn, args []string) {
	switch {
	case len(args) > 2:
		cn.out.error(wrongArity("ping"))
	case cn.subscribesInRESP2():
		cn.out.bulks([]string{"pong", strings.Join(args[1:], "")})
	case len(args) == 1:
		cn.out.simple("PONG")
	default:
		cn.out.bulk(args[1])
	}
}

func echo(cn *conn, args []string) { cn.out.bulk(args[1]) }

func quit(cn *conn, _ []string) {
	cn.out.ok()
	cn.closing = true
}

func resetSession(cn *conn, _ []string) {
	cn.out.resp3 = false
	cn.endWatch()
	cn.leaveAll()
	cn.session = session{authed: cn.cluster.opts.Password == ""}
	cn.out.simple("RESET")
}

func selectDB(cn *conn, args []string) {
	switch db, err := strconv.Atoi(args[1]); {
	case err != nil:
		cn.out.error(errNoInteger)
	case db != 0:
		cn.out.error("ERR SELECT is not allowed in cluster mode")
	default:
		cn.out.ok()
	}
}

const wrongPass = "WRONGPASS invalid username-password pair or user is disabled."

func auth(cn *conn, args []string) {
	user, password := "default", args[len(args)-1]
	if len(args) > 3 {
		cn.out.error(errSyntax)
		return
	}
	if len(args) == 3 {
		user = args[1]
	} else if cn.cluster.opts.Password == "" {
		cn.out.error("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
		return
	}
	if !cn.login(user, password) {
		cn.out.error(wrongPass)
		return
	}
	cn.out.ok()
}

// login checks the credentials; a cluster without a password lets the user "default" in with any.
func (cn *conn) login(user, password string) bool {
	o := cn.cluster.opts
	ok := user == o.Username && (o.Password == "" || subtle.ConstantTimeCompare([]byte(password), []byte(o.Password)) == 1)
	cn.authed = cn.authed || ok
	return ok
}

// hello answers HELLO [version [AUTH user password] [SETNAME name]]. As on a server, what comes before an option that
// is refused has been done.
func hello(cn *conn, args []string) {
	resp3 := cn.out.resp3
	if len(args) > 1 {
		switch version, err := strconv.Atoi(args[1]); {
		case err != nil:
			cn.out.error("ERR Protocol version is not an integer or out of range")
			return
		case version != 2 && version != 3:
			cn.out.error("NOPROTO unsupported protocol version")
			return
		default:
			resp3 = version == 3
		}
	}
	for i := 2; i < len(args); {
		taken, refusal := cn.helloOption(args[i:])
		if refusal != "" {
			cn.out.error(refusal)
			return
		}
		i += taken
	}
	if !cn.authed {
		cn.out.error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option " +
			"can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	cn.out.resp3 = resp3
	cn.greet()
}

func (cn *conn) helloOption(args []string) (taken int, refusal string) {
	switch option := strings.ToUpper(args[0]); {
	case option == "AUTH" && len(args) > 2:
		if !cn.login(args[1], args[2]) {
			return 0, wrongPass
		}
		return 3, ""
	case option == "SETNAME" && len(args) > 1:
		if !validName(args[1]) {
			return 0, badName
		}
		cn.name = args[1]
		return 2, ""
	}
	return 0, fmt.Sprintf("ERR Syntax error in HELLO option '%s'", args[0])
}

func (cn *conn) greet() {
	out, proto, role := &cn.out, int64(2), "master"
	if out.resp3 {
		proto = 3
	}
	if !cn.node.isPrimary() {
		role = "replica"
	}
	out.mapOf(7)
	out.bulk("server")
	out.bulk("redis")
	out.bulk("version")
	out.bulk(serverVersion)
	out.bulk("proto")
	out.int(proto)
	out.bulk("id")
	out.int(cn.id)
	out.bulk("mode")
	out.bulk(cn.cluster.opts.mode())
	out.bulk("role")
	out.bulk(role)
	out.bulk("modules")
	out.array(0)
}

const badName = "ERR Client names cannot contain spaces, newlines or special characters."

func validName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r < '!' || r > '~' })
}

func clientHandlers() map[string]handler {
	return map[string]handler{
		"ID":      func(cn *conn, _ []string) { cn.out.int(cn.id) },
		"GETNAME": clientGetName, "SETNAME": clientSetName, "SETINFO": clientSetInfo,
		"NO-EVICT": clientOK, "NO-TOUCH": clientOK,
	}
}

func clientOK(cn *conn, _ []string) { cn.out.ok() }

func clientGetName(cn *conn, _ []string) {
	if cn.name == "" {
		cn.out.null()
		return
	}
	cn.out.bulk(cn.name)
}

func clientSetName(cn *conn, args []string) {
	if !validName(args[2]) {
		cn.out.error(badName)
		return
	}
	cn.name = args[2]
	cn.out.ok()
}

// clientSetInfo is newer than serverVersion, but clients send it to every server.
func clientSetInfo(cn *conn, args []string) {
	switch attr := strings.ToLower(args[2]); {
	case attr != "lib-name" && attr != "lib-ver":
		cn.out.error(fmt.Sprintf("ERR Unrecognized option '%s'", args[2]))
	case !validName(args[3]):
		cn.out.error("ERR " + attr + " cannot contain spaces, newlines or special characters.")
	case attr == "lib-name":
		cn.lib[0] = args[3]
		cn.out.ok()
	default:
		cn.lib[1] = args[3]
		cn.out.ok()
	}
}

// role answers what a client needs to trust a replica: that it is connected.
func role(cn *conn, _ []string) {
	out, s := &cn.out, cn.node.shard
	if cn.node.isPrimary() {
		replicas := s.runningReplicas()
		out.array(3)
		out.bulk("master")
		out.int(s.offset)
		out.array(len(replicas))
		for _, r := range replicas {
			out.bulks([]string{loopbackIP, strconv.Itoa(r.port), strconv.FormatInt(s.offset, 10)})
		}
		return
	}
	state := "connected"
	if !s.primary.running {
		state = "connect"
	}
	out.array(5)
	out.bulk("slave")
	out.bulk(loopbackIP)
	out.int(int64(s.primary.port))
	out.bulk(state)
	out.int(s.offset)
}

func (s *shard) runningReplicas() (running []*node) {
	for _, r := range s.replicas {
		if r.running {
			running = append(running, r)
		}
	}
	return running
}

// waitReplicas answers WAIT: replicas here are never behind, so it waits only where there are too few.
func waitReplicas(cn *conn, args []string) {
	want, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		cn.out.error(errNoInteger)
		return
	}
	timeout, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil || timeout > math.MaxInt64/int64(time.Millisecond) {
		cn.out.error("ERR timeout is not an integer or out of range")
		return
	}
	if timeout < 0 {
		cn.out.error("ERR timeout is negative")
		return
	}
	if !cn.node.isPrimary() {
		cn.out.error("ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 " +
			"if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.")
		return
	}
	have := int64(len(cn.node.shard.runningReplicas()))
	if have >= want || cn.cluster.inExec {
		cn.out.int(have)
		return
	}
	out := replies{}
	out.int(have)
	cn.blocked = newWaiter(cn, request{args: args}, time.Duration(timeout)*time.Millisecond, out.buf)
}

func info(cn *conn, args []string) {
	c, n := cn.cluster, cn.node
	role, keys := "master", c.countKeys(n)
	replication := fmt.Sprintf("connected_slaves:%d\r\n", len(n.shard.runningReplicas()))
	if !n.isPrimary() {
		role = "slave"
		link := "up"
		if !n.shard.primary.running {
			link = "down"
		}
		replication = fmt.Sprintf("master_host:%s\r\nmaster_port:%d\r\nmaster_link_status:%s\r\n", loopbackIP, n.shard.primary.port, link)
	}
	sections := []struct{ name, text string }{
		{"Server", fmt.Sprintf("redis_version:%s\r\nredis_mode:%s\r\ntcp_port:%d\r\n", serverVersion, c.opts.mode(), n.port)},
		{"Clients", fmt.Sprintf("connected_clients:%d\r\nblocked_clients:%d\r\n", len(n.conns), c.waiting.at(n))},
		{"Stats", fmt.Sprintf("total_connections_received:%d\r\ntotal_commands_processed:%d\r\n", n.counters.Accepted, n.counters.Commands) + n.pubsubInfo()},
		{"Replication", fmt.Sprintf("role:%s\r\n%smaster_repl_offset:%d\r\n", role, replication, n.shard.offset)},
		{"Cluster", fmt.Sprintf("cluster_enabled:%d\r\n", map[bool]int{false: 1}[c.opts.Standalone])},
		{"Keyspace", fmt.Sprintf("db0:keys=%d,expires=0,avg_ttl=0\r\n", keys)},
	}
	var parts []string
	for _, s := range sections {
		if wanted(args[1:], s.name) && (s.name != "Keyspace" || keys > 0) {
			parts = append(parts, "# "+s.name+"\r\n"+s.text)
		}
	}
	cn.out.text(strings.Join(parts, "\r\n"))
}

func wanted(asked []string, section string) bool {
	for _, a := range asked {
		switch {
		case strings.EqualFold(a, section), strings.EqualFold(a, "all"), strings.EqualFold(a, "everything"), strings.EqualFold(a, "default"):
			return true
		}
	}
	return len(asked) == 0
}
