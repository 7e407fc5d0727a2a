// Package ledger compares what a client was told with what the servers hold.
package ledger

import _ "github.com/anishathalye/porcupine"
