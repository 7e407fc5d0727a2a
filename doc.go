// Package keyslot is a client for Redis Cluster and Valkey Cluster, made for AWS ElastiCache in cluster mode. Given one
// address, the configuration endpoint, it learns which node owns which slot, sends each command straight to the owner
// of its key, and stays right while shards are added, slots move and primaries fail. Groups without cluster mode and
// serverless caches are served by the same [Client]: see [Options].
//
//	client, err := keyslot.Open(ctx, "rediss://clustercfg.my.abc.use1.cache.amazonaws.com:6379")
//	if err != nil {
//		log.Fatal(err) // says what to do
//	}
//	defer client.Close()
//
//	err = client.Set(ctx, "user:1", "ann", command.EX(time.Minute))
//	name, err := client.Get(ctx, "user:1") // errors.Is(err, keyslot.Nil) when there is no such key
//
// One [Client] serves a whole program: it is safe for concurrent use, and commands of many goroutines share a
// connection to each node. Its typed commands are those of [command.Commands]; [Client.Do] sends any other. A
// [Pipeline] runs many commands at once, for any slots, with one write for each node. A [Tx] runs commands for one
// slot, all or none, and [Client.Watch] lets it depend on what was read.
//
// # How a command travels
//
//   - Route. [Slot] hashes the key, or its hash tag, to one of 16384 slots, and the slot map says whose it is. MGet, MSet,
//     Del, Exists and their like take keys of any slots: each node gets one write, and the answer keeps the order.
//   - Send. The command joins those of other callers in the next write to that node, on a connection that is dialled when it
//     is first needed. Large values take a second one, so that small commands do not wait behind them.
//   - Judge. MOVED changes the slot map and ASK does not; both are followed at once. A node that is loading, a slot half moved,
//     a cluster between two primaries: the command is sent again after a pause. That goes on until the context's
//     deadline or, without one, until [Options.CommandTimeout].
//
// The map is fetched anew in the background, after a MOVED and when it has aged: from nodes, or from the endpoint where these
// lead to no map. Where a primary does not serve, the client asks its replicas for a key of its slots until one of them does.
// [Client.Topology] shows the map, [Client.Stats] counts by node, and [Options.Trace] tells of calls and redirects.
//
// # Three outcomes
//
// A call ends in a reply, which may be the server's refusal (a [ServerError]), or in one of two errors that say what
// became of the command:
//
//   - [ErrNotExecuted]: it never ran and never will. It was not sent whole, or the server refused it before running it. Unless
//     the reason lasts, as a missing permission or a full memory does, the client has sent it again, writes included, for as
//     long as the call had time; so may you.
//   - [ErrUnknownOutcome]: it was sent whole and not answered, so it may have run. The client sends it again by itself only
//     if it changes nothing, or on a view made by [Client.Idempotent]. Whether to repeat an INCR is for you to decide.
//
// Ask with errors.Is; [ErrRetryable] says that the same command may be sent again. With errors.As, an [*Error] gives
// the trail (node, attempts, redirects and the step that failed), and a [*PartsError] lists key by key what failed of a
// command over several slots, which is not atomic. Cancelling a context gives up one call, and harms neither the
// connection nor the calls beside it.
//
// # Waiting at the server
//
// BLPOP, XREAD with BLOCK and their like run on connections of their own, 1024 to a node at most, so they hold up
// nobody. Their timeout comes on top of [Options.CommandTimeout], and zero is for ever. When their slot moves they go
// on at its new owner for the rest of their time. Cancelling ends the connection, and the outcome is unknown: an
// element may have been popped. Their keys must lie in one slot. A [Consumer] reads streams of any slots as a member of
// a consumer group.
//
// # Beyond single commands
//
// Client.Scan walks over the keys of the whole cluster and sees each one that stays, whatever moves meanwhile.
// Client.Subscribe and its like yield messages, and say with a *Gap when some may have been missed. Client.ReadFrom
// lets replicas answer reads, Client.On overrides the route, and Client.DoEach asks several nodes. NewScript runs a
// script by its digest. Client.WriteAndWait tells how many replicas have received what was written.
//
// # Where to look next
//
//   - Package command: the typed commands, their options and replies.
//   - Package keyslottest: a cluster inside your own tests, with redirects, failovers and faults at will.
//   - docs/errors.md: what a service does about each error.
//   - examples/quickstart: a load that runs on while slots move. DESIGN.md: how, and why.
package keyslot

// Version is the version of this library, as servers see it in CLIENT INFO.
const Version = "0.1.0-dev"
