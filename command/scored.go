package command

// Scored is a member of a sorted set with its score.
type Scored struct {
	Member string
	Score  float64
}
