// Package keyslottest runs a whole Redis Cluster inside the test process: its nodes listen on real ports of the
// loopback interface, redirect, let slots migrate, fail over, hang and lose replies, when the test says so. It needs
// nothing but Go, starts in a millisecond, and any client can connect.
//
//	c := keyslottest.Run(t, keyslottest.Options{Shards: 3, Replicas: 1}) // until the test ends; Start and Close do without one
//	client, err := keyslot.Open(t.Context(), c.Endpoint())
//	...
//	m, err := c.Migrate(slot, c.Shards()[1].Primary.ID) // from here on the old owner answers ASK for keys it lacks,
//	m.MoveKey("user:1")                                 // like this one,
//	m.Finish()                                          // and now MOVED for all
//
// # What is like a server
//
// Replies, errors and the order of the checks are those of redis-server 7.0.15: the package's tests compare them byte
// for byte with what real clusters answered in more than a hundred situations, in RESP2 and RESP3. Each node has its
// own listener, id, address, role and epoch, its own clients and script cache. Redirects, ASKING, READONLY, MULTI with
// WATCH, blocking commands whose slot leaves or whose primary is demoted, publish/subscribe on nodes and shards, HELLO,
// AUTH, TLS, and all forms in which nodes announce themselves are there.
//
// # What is not
//
//   - Values live in one miniredis store behind all nodes. A key moves by a flag, so no migration, failover or restart ever
//     loses one, and a replica is never behind.
//   - All nodes learn of a change of the topology at once; there is no gossip, no voting and no time-out. Nothing is
//     promoted unless the test calls Failover.
//   - A replica asked (with READONLY) for a key that has migrated answers ASK, as Valkey 8 does; before version 8 it said
//     that there was no such key.
//   - The target of a migration, asked with ASKING, sees keys that are still at the source: a client that sent it there without
//     having been told to would find them here, and miss them on servers.
//   - A WAIT that blocks ends by its timeout alone, with the number of replicas that ran when it began.
//   - A message reaches all nodes at once, and none is lost between two. A client that matches several patterns gets them in the order of
//     their names. What may wait for a subscriber that does not read is limited by the hard limit of 32 MiB alone, not by the soft one of
//     8 MiB for a minute, and what the kernel took does not count. There are no keyspace events.
//   - Expiry is off by a few milliseconds, with many thousands of keys by some ten, unless the clock is manual.
//   - A time to live ends after 292 years at the latest.
//   - A script runs as long as it takes, and the cluster stands still meanwhile. Lua has no bit, struct and cmsgpack, other words for
//     errors of its own (but not for those of commands and cjson), and more digits in numbers that .. or table.concat make text.
//   - A cluster with Options.Standalone has one database: it refuses SELECT, SWAPDB, MOVE and COPY with DB in the words of a
//     node in cluster mode.
//   - A HyperLogLog is a string to TYPE and SCAN alone: GET, MGET, STRLEN and the other commands on strings refuse it, or miss it.
//   - XINFO counts the entries of a stream that was renamed or copied from there on, and knows the tree of a short stream only.
//   - FREQ and IDLETIME of RESTORE, LASTID of XCLAIM, and IDs of XPENDING behind a ( are errors.
//   - A watched hash is not touched by what changes nothing but the expiry of its fields.
//   - A request of more than 64 MiB is a protocol error.
//
// What is missing answers "ERR unknown command", its name, and "not supported by keyslottest":
//
//   - on keys BITFIELD, BITFIELD_RO, BLMPOP, GEOHASH, GEOSEARCHSTORE, HEXPIREAT, HPEXPIRE, HPEXPIREAT, LCS, MIGRATE, OBJECT
//     (but for IDLETIME), PFDEBUG, PFSELFTEST, RESTORE-ASKING, SORT, SORT_RO, SUBSTR, XGROUP SETID, XINFO STREAM with FULL, XSETID,
//     ZDIFF, ZDIFFSTORE, ZINTERCARD and ZRANGESTORE, and most that came after version 7.0, while DUMP and RESTORE know
//     strings only, and no compressed ones;
//   - functions (FCALL, FCALL_RO, FUNCTION), SCRIPT DEBUG, KILL and SHOW, WAITAOF;
//   - in scripts also whatever is about the connection;
//   - CLIENT but for ID, GETNAME, SETNAME, SETINFO, NO-EVICT and NO-TOUCH; CLUSTER but for SLOTS, SHARDS, NODES, INFO, MYID,
//     KEYSLOT, COUNTKEYSINSLOT and GETKEYSINSLOT, since the methods of [Cluster] do the rest; COMMAND but for COUNT and
//     GETKEYS, and its plain form gives a table of miniredis's;
//   - ACL, CONFIG, DEBUG, LATENCY, LOLWUT, MEMORY (but for USAGE), MODULE, MONITOR, SLOWLOG and whatever else is for an
//     operator.
package keyslottest
