// Package realcluster starts clusters of real redis-server and valkey-server processes for tests, moves their slots,
// and kills, freezes and replaces their nodes. A test that needs one reads:
//
//	c := realcluster.Start(t, realcluster.Options{Engine: "redis", Primaries: 3, Replicas: 1})
//	client, err := keyslot.New(ctx, keyslot.Options{Endpoints: c.Addrs()[:1]})
//	...
//	require.NoError(t, c.Reshard(ctx, c.Node(0), c.Node(1), 100))
//
// Servers listen on loopback only, keep nothing on disk but their logs, and end with the test. Where a machine has no
// server, the test is skipped and says why.
//
// Methods that take a context wait until what they ask for is true, or the context ends: give it a deadline.
//
// The package imports nothing of ours: it speaks RESP through a small reader of its own, so that a fault in the codec
// under test cannot make the harness agree with it.
package realcluster
