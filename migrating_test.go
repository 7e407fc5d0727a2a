package keyslot_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

var (
	tableRow   = regexp.MustCompile(`(?m)^\|.*\| ([^|]*) \|$`)
	inlineCode = regexp.MustCompile("`([^`]+)`")
)

// What the last column of docs/migrating.md shows is what the tests below run.
func TestThePageOnMigratingQuotesWhatRuns(t *testing.T) {
	page, err := os.ReadFile("docs/migrating.md")
	require.NoError(t, err)
	source, err := os.ReadFile("migrating_test.go")
	require.NoError(t, err)
	quotes := 0
	for _, row := range tableRow.FindAllStringSubmatch(string(page), -1) {
		for _, code := range inlineCode.FindAllStringSubmatch(row[1], -1) {
			if code[1] == "rediss://" {
				continue
			}
			require.Contains(t, string(source), code[1])
			quotes++
		}
	}
	require.Greater(t, quotes, 50)
}

// migrant returns a client of an in-process cluster, made as the page says.
func migrant(t *testing.T) (ctx context.Context, client *keyslot.Client) {
	cluster := keyslottest.Run(t, keyslottest.Options{})
	ctx = t.Context()
	addrs := []string{cluster.Endpoint()}
	client, err := keyslot.New(ctx, keyslot.Options{Endpoints: addrs})
	require.NoError(t, err)
	require.NoError(t, client.Close())
	url := "redis://" + cluster.Endpoint()
	client, err = keyslot.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return ctx, client
}

func TestMigratedSingleKeys(t *testing.T) {
	ctx, client := migrant(t)
	_, err := client.Get(ctx, "k")
	require.True(t, errors.Is(err, keyslot.Nil))
	require.NoError(t, client.Set(ctx, "k", "v", command.EX(time.Minute)))
	ttl := time.Minute + rand.N(time.Second)
	require.NoError(t, client.Set(ctx, "k", "v", command.PX(ttl)))
	for _, setNX := range []func() (bool, error){
		func() (bool, error) { return client.SetNX(ctx, "k", "v", command.PX(ttl)) },
		func() (bool, error) { return client.SetNX(ctx, "k", "v") },
	} {
		set, err := setNX()
		require.NoError(t, err)
		require.False(t, set)
	}
	given, err := client.PExpire(ctx, "k", ttl)
	require.NoError(t, err)
	require.True(t, given)
	value, err := client.GetBytes(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "v", string(value))
	_, err = client.ReadFrom(keyslot.PreferReplica).Get(ctx, "k")
	require.NoError(t, err)
	_, err = client.ReadFrom(keyslot.Any).Get(ctx, "k")
	require.NoError(t, err)
	_, err = client.ReadFrom(keyslot.AZAffinity).Get(ctx, "k")
	require.NoError(t, err)
	_, err = client.Idempotent().Incr(ctx, "n")
	require.NoError(t, err)
}

func TestMigratedCollections(t *testing.T) {
	ctx, client := migrant(t)
	_, err := client.HSet(ctx, "h", command.Field{Name: "name", Value: "ann"})
	require.NoError(t, err)
	fields, err := client.HGetAll(ctx, "h")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": "ann"}, fields)
	_, err = client.ZAdd(ctx, "z", []command.Scored{{Member: "ann", Score: 7}})
	require.NoError(t, err)
	top, err := client.ZRangeWithScores(ctx, "z", command.ByIndex(0, 9), command.Rev)
	require.NoError(t, err)
	again, err := client.ZRangeWithScores(ctx, "z", command.ByIndex(0, 9))
	require.NoError(t, err)
	require.Equal(t, top, again)
	_, err = client.LPush(ctx, "list", "x")
	require.NoError(t, err)
	popped, err := client.BLPop(ctx, time.Second, "list")
	require.NoError(t, err)
	require.Equal(t, "x", popped.Element)
}

func TestMigratedBatches(t *testing.T) {
	ctx, client := migrant(t)
	keys := []string{"a", "b"}
	values, err := client.MGet(ctx, "a", "b")
	require.NoError(t, err)
	again, err := client.MGet(ctx, keys...)
	require.NoError(t, err)
	require.Equal(t, values, again)

	p := client.Pipeline()
	n := p.Incr("n")
	require.NoError(t, p.Exec(ctx))
	count, err := n.Get()
	require.NoError(t, err)
	require.EqualValues(t, 1, count)

	tx := client.Tx()
	tx.Incr("n")
	require.NoError(t, tx.Exec(ctx))

	fn := func(*keyslot.Watched) error { return keyslot.ErrTxAborted }
	require.ErrorIs(t, client.Watch(ctx, []string{"k"}, fn), keyslot.ErrTxAborted)
}

func TestMigratedWalks(t *testing.T) {
	ctx, client := migrant(t)
	require.NoError(t, client.Set(ctx, "user:1", "ann"))
	var found []string
	for key, err := range client.Scan(ctx, "user:*") {
		require.NoError(t, err)
		found = append(found, key)
	}
	require.Equal(t, []string{"user:1"}, found)
	replies, err := client.On(keyslot.ToPrimaries).DoEach(ctx, "DBSIZE")
	require.NoError(t, err)
	require.Len(t, replies, 3)
}

// On real servers, for what the in-process cluster lacks.
func TestMigratedToRealServers(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx, client := t.Context(), connect(t, keyslot.Options{Endpoints: cluster.Addrs()})
		require.NoError(t, client.Set(ctx, "k", "v"))
		reply, err := client.Do(ctx, "OBJECT", "ENCODING", "k")
		require.NoError(t, err)
		text, err := reply.Text()
		require.NoError(t, err)
		require.Equal(t, "embstr", text)
		_, err = client.Do(ctx, "JSON.GET", "doc", "$")
		require.ErrorContains(t, err, "unknown command")

		src, keys := "return ARGV[1]", []string{"k"}
		script := keyslot.NewScript(src)
		_, err = script.Run(ctx, client, keys, "1")
		require.NoError(t, err)

		shard, err := client.SSubscribe(ctx, "a")
		require.NoError(t, err)
		defer shard.Close()
		sub, err := client.Subscribe(ctx, "news")
		require.NoError(t, err)
		defer sub.Close()
		_, err = client.Publish(ctx, "news", "hello")
		require.NoError(t, err)
		for message, err := range sub.Messages(ctx) {
			require.NoError(t, err)
			require.Equal(t, "hello", message.Payload)
			break
		}
	})
}
