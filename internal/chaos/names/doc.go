// Package names are the host names of a cluster under test: a Server, in the process that makes trouble, has the
// records, and a Resolver, in the process that uses the client, asks it. Records change, and lookups are delayed and
// fail, as the Server is told:
//
//	server, err := names.Listen()
//	server.Set("cfg.keyslot.test", netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"))
//	client, err := keyslot.New(ctx, keyslot.Options{
//		Endpoints: []string{"cfg.keyslot.test:20000"}, Resolver: names.Resolver{Server: server.Addr()},
//	})
package names
