// Package report turns what runs measured into what people, machines and browsers read.
package report

import "github.com/keyslot-go/keyslot/benchmarks/internal/load"

// Sample is one run: one client in one cell in one round.
type Sample struct {
	Cell   string      `json:"cell"`
	Client string      `json:"client"`
	Round  int         `json:"round"`
	Result load.Result `json:"result"`
}
