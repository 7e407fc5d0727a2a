package main

import (
	"math/rand/v2"

	"github.com/keyslot-go/keyslot/internal/chaos/nemesis"
)

// plan says what each round is, by nothing but the seed and what there is to choose from: a round is the same however
// long the run is, and may be repeated by its number.
type plan struct {
	seed    uint64
	setups  []setup
	nemeses []nemesis.Nemesis
}

// roundsPerStand is how many rounds run on one cluster. A new one costs some 4 s.
const roundsPerStand = 4

// The streams of numbers that are drawn from one seed. Rounds have those below.
const (
	nemesisStream = 1 << 32
	setupStream   = 2 << 32
)

// setup returns the kind of cluster of a round. Every kind has its turn before any comes again.
func (p plan) setup(round int) setup {
	return dealt(p, setupStream, p.setups, round/roundsPerStand)
}

// nemesis returns the nemesis of a round. Each has its turn before any comes again.
func (p plan) nemesis(round int) nemesis.Nemesis {
	return dealt(p, nemesisStream, p.nemeses, round)
}

// rand returns what everything else of a round is drawn from.
func (p plan) rand(round int) *rand.Rand { return rand.New(rand.NewPCG(p.seed, uint64(round))) }

// dealt returns the n-th card of a deck that is shuffled again whenever it is used up.
func dealt[T any](p plan, stream uint64, deck []T, n int) T {
	lap := n / len(deck)
	order := rand.New(rand.NewPCG(p.seed, stream+uint64(lap))).Perm(len(deck))
	return deck[order[n%len(deck)]]
}
