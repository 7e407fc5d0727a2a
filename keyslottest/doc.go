// Package keyslottest runs a Redis Cluster inside the test process: real listeners, real redirects, slots that move.
package keyslottest
