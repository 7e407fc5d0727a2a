// Package keyslot is a cluster-aware client for Redis and Valkey Cluster.
package keyslot

// Version is the version of this library, as servers see it in CLIENT INFO.
const Version = "0.1.0"
