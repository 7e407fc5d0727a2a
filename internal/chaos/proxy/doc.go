// Package proxy is a TCP proxy in front of one server of a cluster that makes trouble on demand: refused dials, black
// holes, slow and cut replies. Servers announce its address (cluster-announce-port), so everything comes through it:
//
//	front, err := proxy.Listen("127.0.0.2:0", server, proxy.Plain)
//	...
//	front.Set(proxy.Fault{Cut: proxy.Cut{How: proxy.Reset, After: func() int64 { return rng.Int64N(4096) }}})
//	front.Set(proxy.Fault{}) // heals
//
// Faults strike the connections of clients only. Those of other servers (replication, MIGRATE), of redis-cli and of
// anybody else pass untouched, which a Classify tells by their first bytes; what needs no proxy is what a cluster does
// to its own links.
package proxy
