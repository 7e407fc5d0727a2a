package main

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

// boards are leaderboards, one for each region. All keys of a region have its hash tag, so a script or a transaction can
// touch any of them, and each region is served by one shard. A board that is too much for one has to be divided further.
type boards struct {
	client   *keyslot.Client // idempotent: see addScript
	replicas *keyslot.Client // for the list at the top, which may be some milliseconds old
}

// standing is where a player stands.
type standing struct {
	Player string `json:"player"`
	Rank   int64  `json:"rank"` // from 1
	Points int64  `json:"points"`
	Games  int64  `json:"games,omitempty"`
}

func newBoards(client *keyslot.Client) *boards {
	return &boards{client: client.Idempotent(), replicas: client.ReadFrom(keyslot.PreferReplica)}
}

// addScript adds points (ARGV 2) to a player (ARGV 1) on the board (KEYS 1), counts the game in the player's hash (KEYS
// 2), and returns rank, points and games. It notes the operation (KEYS 3) for a while (ARGV 3, in seconds), and adds
// nothing for one that it has noted: so it may be sent again where nobody knows whether it ran.
var addScript = keyslot.NewScript(`
	if redis.call('SET', KEYS[3], 1, 'NX', 'EX', ARGV[3]) then
		redis.call('ZINCRBY', KEYS[1], ARGV[2], ARGV[1])
		redis.call('HINCRBY', KEYS[2], 'games', 1)
	end
	return {
		redis.call('ZREVRANK', KEYS[1], ARGV[1]),
		redis.call('ZSCORE', KEYS[1], ARGV[1]),
		redis.call('HGET', KEYS[2], 'games'),
	}`)

// operationsKept is how long an operation can be repeated without being counted again.
const operationsKept = 10 * time.Minute

// Add adds points to a player and returns the new standing. Who may have to repeat the call names the operation; it is
// counted once. An empty name stands for a new operation.
func (b *boards) Add(ctx context.Context, region, player string, points int64, operation string) (standing, error) {
	if operation == "" {
		operation = rand.Text()
	}
	board := boardKey(region)
	keys := []string{board, playerKey(region, player), board + ":operation:" + operation}
	reply, err := addScript.Run(ctx, b.client, keys, player, points, int64(operationsKept.Seconds()))
	if err != nil {
		return standing{}, err
	}
	numbers, err := reply.Slice()
	if err != nil {
		return standing{}, err
	}
	s := standing{Player: player}
	for i, into := range []*int64{&s.Rank, &s.Points, &s.Games} {
		if *into, err = numbers[i].Int64(); err != nil {
			return standing{}, err
		}
	}
	s.Rank++
	return s, nil
}

// Top returns the n best players of a region, the best first.
func (b *boards) Top(ctx context.Context, region string, n int) ([]standing, error) {
	best, err := b.replicas.ZRangeWithScores(ctx, boardKey(region), command.ByIndex(0, int64(n)-1), command.Rev)
	if err != nil {
		return nil, err
	}
	top := make([]standing, len(best))
	for i, scored := range best {
		top[i] = standing{Player: scored.Member, Rank: int64(i) + 1, Points: int64(scored.Score)}
	}
	return top, nil
}

// Standing returns where a player stands, or keyslot.Nil. It is one transaction, so that nobody's game comes in between.
func (b *boards) Standing(ctx context.Context, region, player string) (standing, error) {
	tx := b.client.Tx()
	rank := tx.ZRevRank(boardKey(region), player)
	points := tx.ZScore(boardKey(region), player)
	games := tx.HGet(playerKey(region, player), "games")
	if err := tx.Exec(ctx); err != nil {
		return standing{}, err
	}
	above, err := rank.Get()
	if err != nil {
		return standing{}, err // keyslot.Nil: a missing value is a future's error, and not the transaction's
	}
	score, err := points.Get()
	if err != nil {
		return standing{}, err
	}
	text, err := games.Get()
	if err != nil {
		return standing{}, err
	}
	played, err := strconv.ParseInt(text, 10, 64)
	return standing{Player: player, Rank: above + 1, Points: int64(score), Games: played}, err
}

func boardKey(region string) string          { return "board:{" + region + "}" }
func playerKey(region, player string) string { return boardKey(region) + ":player:" + player }
