package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/stage"
)

func TestBadFlagsAreOneLine(t *testing.T) {
	t.Setenv(client.PasswordVariable, "")
	for args, says := range map[string]string{
		"":                                          "where is the cluster?",
		"-nonsense":                                 "flag provided but not defined: -nonsense",
		"-local extra":                              `unknown argument "extra"`,
		"-local -endpoint h:1":                      "exclude each other",
		"-local -tls":                               "are for -endpoint",
		"-local -shards 0":                          "-shards is 1 to 16",
		"-endpoint redis://u:secret@h:1":            "put it into KEYSLOT_PASSWORD instead",
		"-endpoint redis://u:secret@h:1,i:1":        "put it into KEYSLOT_PASSWORD instead",
		"-endpoint h:1 -user u":                     "-user needs its password in KEYSLOT_PASSWORD",
		"-endpoint h:1 -iam":                        "-iam needs -user",
		"-endpoint h:99999":                         "port",
		"-local -reads 2":                           "-reads is 0 to 1",
		"-local -reads NaN":                         "-reads is 0 to 1",
		"-local -rate -1":                           "-rate is 0.001 to",
		"-local -rate 1e-10":                        "-rate is 0.001 to",
		"-local -duration 721h":                     "30 days at most",
		"-local -rate many":                         "-rate",
		"-local -keys 0":                            "-keys is 1 to",
		"-local -keys 5000000 -value 64k":           "more than 8 GiB",
		"-local -value 0":                           "sizes are 1 to",
		"-local -value 18014398509481984k":          "sizes are 1 to",
		"-local -dist normal":                       `-dist "normal" is none of uniform, zipf, hot`,
		"-local -sessions 5 -pipeline 5":            "exclude each other",
		"-local -workers 0":                         "-workers is 1 to",
		"-local -conns sometimes":                   `-conns "sometimes" is none of reuse, per-call`,
		"-local -client keyslot,jedis":              `-client "jedis" is none of keyslot, goredis, rueidis`,
		"-local -client keyslot,keyslot":            "-client has keyslot twice",
		"-local -duration 0s":                       "-duration is 100ms or more",
		"-local -scale-out-at soon":                 "not a time such as 15s",
		"-local -duration 10s -failover-at 10s":     "is not before the end of the run",
		"-local -replicas 0 -kill-at 1s":            "-kill-at needs -replicas 1",
		"-local -scale-in-at 5s":                    "would leave no shard",
		"-local -scale-in-at 5s -scale-out-at 10s":  "would leave no shard",
		"-local -scale-out-at 5s -scale-out-at 6s":  "given twice",
		"-local -json -emf":                         "choose one",
		"-local -report no/such/directory/out.html": "there is no such directory",
		"-local -csv internal":                      "this is a directory",
	} {
		var out, errs bytes.Buffer
		require.Equal(t, exitUsage, run(t.Context(), strings.Fields(args), &out, &errs), args)
		require.Empty(t, out.String(), args)
		require.Contains(t, errs.String(), says, args)
		require.NotContains(t, errs.String(), "secret")
		require.Equal(t, 1, strings.Count(errs.String(), "\n"), args)
	}
}

func TestEveryFlagIsInOneGroupOfTheUsage(t *testing.T) {
	shown := map[string]int{}
	for _, group := range groups {
		for _, name := range group.flags {
			shown[name]++
		}
	}
	flagSet(new(options)).VisitAll(func(f *flag.Flag) {
		require.Equal(t, 1, shown[f.Name], f.Name)
		delete(shown, f.Name)
	})
	require.Empty(t, shown)

	var out, errs bytes.Buffer
	require.Equal(t, exitOK, run(t.Context(), []string{"-h"}, &out, &errs))
	require.Empty(t, errs.String())
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len(strings.TrimSpace(line)), 100, line)
	}
}

func TestDefaultsFollowFromOtherFlags(t *testing.T) {
	o, err := parseFlags(strings.Fields("-local -duration 40s -scale-in-at 30s -scale-out-at 15s -value 64,2k -seed 255"))
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, o.load.Window)
	require.Equal(t, []int{64, 2048}, o.load.Values)
	require.Equal(t, []planned{{stage.ScaleOut, 15 * time.Second}, {stage.ScaleIn, 30 * time.Second}}, o.plan)
	require.Equal(t, "keyslot-bench:ff:", o.load.Prefix)
	long, err := parseFlags(strings.Fields("-local -duration 1h"))
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, long.load.Window)
}

func TestClientsTakeTurns(t *testing.T) {
	o := options{repeat: 2, clients: []string{"a", "b"}, conns: []string{reuse, perCall}}
	var order []string
	for _, r := range o.runs() {
		order = append(order, r.client+" "+r.conns)
	}
	once := []string{"a reuse", "b reuse", "a per-call", "b per-call"}
	require.Equal(t, append(once, once...), order)
}

func TestTheCommandIsShownWithoutPasswords(t *testing.T) {
	for arg, shown := range map[string]string{
		"-endpoint=redis://u:secret@h:1":       "-endpoint=redis://u:xxxxx@h:1",
		"redis://u:secret@h:1,i:1":             "redis://u:xxxxx@h:1,i:1",
		"redis://:secret@h:1?client_name=b":    "redis://:xxxxx@h:1?client_name=b",
		"-endpoint=redis://u@h:1?lazy=true":    "-endpoint=redis://u@h:1?lazy=true",
		"-endpoint=clustercfg.orders.aws:6379": "-endpoint=clustercfg.orders.aws:6379",
	} {
		require.Equal(t, "go run ./examples/bench "+shown+" -rate 5", commandLine([]string{arg, "-rate", "5"}))
	}
}

func TestTheServerSaysWhatItIs(t *testing.T) {
	require.Equal(t, "redis-server 7.0.15", serverVersion("# Server\r\nredis_version:7.0.15\r\n"))
	require.Equal(t, "valkey-server 8.0.1", serverVersion("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n"))
	require.Equal(t, "unknown", serverVersion(""))
}
