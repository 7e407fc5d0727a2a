package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/load"
	"github.com/keyslot-go/keyslot/examples/bench/internal/stage"
)

// The modes of connections.
const (
	reuse   = "reuse"
	perCall = "per-call"
)

// options are what the command line says.
type options struct {
	target    client.Target
	local     bool
	inProcess bool
	cluster   stage.Options

	clients []string
	conns   []string
	repeat  int
	load    load.Spec // of every run; without a client
	plan    []planned

	json, emf bool
	csv       string // files; empty: none
	report    string
	chart     string
}

// planned is an experiment and when it begins, from the start of measuring.
type planned struct {
	what stage.Experiment
	at   time.Duration
}

// parseFlags reads and checks the command line. The error is one line. Nothing is resolved or dialled.
func parseFlags(args []string) (options, error) {
	var o options
	set := flagSet(&o)
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if set.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	o.complete()
	for _, check := range []func(*options) error{checkCluster, checkLoad, checkPlan, checkOutput} {
		if err := check(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// flagSet declares all flags; groups says how the usage shows them.
func flagSet(o *options) *flag.FlagSet {
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are printed once, by the caller, in one line
	set.StringVar(&o.target.Endpoint, "endpoint", "",
		"`host:port` or URL of the cluster: its configuration endpoint, or one of its nodes")
	set.BoolVar(&o.target.TLS, "tls", false, "over TLS")
	set.StringVar(&o.target.User, "user", "",
		"`name` to log in with; its password is taken from the environment, "+client.PasswordVariable)
	set.BoolVar(&o.target.IAM, "iam", false,
		"log in to ElastiCache by IAM as -user, with AWS credentials from where the SDK finds them")
	set.BoolVar(&o.local, "local", false, "start a cluster on this machine: of servers, or in this process where there is none")
	set.BoolVar(&o.inProcess, "in-process", false, "start the cluster in this process even where there is a server")
	set.IntVar(&o.cluster.Shards, "shards", 1, "`number` of shards of -local")
	set.IntVar(&o.cluster.Replicas, "replicas", 1, "`number` of replicas of each shard of -local")

	o.declareOperations(set)
	set.DurationVar(&o.load.Duration, "duration", 30*time.Second, "`time` that each run measures")
	set.DurationVar(&o.load.WarmUp, "warmup", 3*time.Second, "`time` of load before that, measured by nobody")
	set.DurationVar(&o.load.Window, "window", 0,
		"`time` that a window takes (default 30s, but a twentieth of -duration if that is less)")
	set.IntVar(&o.repeat, "repeat", 1, "`number` of runs of each client, taking turns")
	set.Func("client", "`names` of clients, comma between them, which take turns: keyslot, goredis, rueidis (default keyslot)",
		list(&o.clients))
	set.Uint64Var(&o.load.Seed, "seed", 0, "`number` that decides what is drawn, and the names of keys; 0 draws it too")

	for _, e := range []struct {
		what stage.Experiment
		text string
	}{
		{stage.ScaleOut, "add a shard, and move its share of the slots to it"},
		{stage.ScaleIn, "give the slots of the newest shard to the others, and remove it"},
		{stage.Failover, "let a replica take over from the first shard's primary, planned"},
		{stage.Kill, "kill the first shard's primary, and let a replica take over"},
	} {
		set.Func(string(e.what)+"-at", "`time` of each run at which to "+e.text, o.plans(e.what))
	}

	set.BoolVar(&o.json, "json", false, "print everything as JSON on standard output, and the rest on standard error")
	set.BoolVar(&o.emf, "emf", false,
		"print CloudWatch embedded metric format on standard output, a line for each window, and the rest on standard error")
	set.StringVar(&o.csv, "csv", "", "write the windows into this `file`")
	set.StringVar(&o.report, "report", "", "write a page with charts into this HTML `file`")
	set.StringVar(&o.chart, "chart", "", "write one chart, for a page of text, into this SVG `file`")
	return set
}

// declareOperations declares the flags that say what an operation is and how operations come.
func (o *options) declareOperations(set *flag.FlagSet) {
	set.Float64Var(&o.load.Reads, "reads", 0.8, "`share` of reads, 0 to 1; the others are writes")
	set.IntVar(&o.load.Keys, "keys", 10_000, "`number` of keys")
	set.StringVar(&o.load.Dist, "dist", load.Uniform,
		"`how` keys are chosen: uniform, zipf (1/rank^1.1) or hot (one key for half of the operations)")
	set.Func("value", "`sizes` of values in bytes, comma between them, drawn evenly; 1k is 1024 (default 64)",
		sizes(&o.load.Values))
	set.IntVar(&o.load.Sessions, "sessions", 0,
		"`number` of sessions instead of -keys: four keys with one hash tag, read by one MGET and written by one MSET")
	set.IntVar(&o.load.Pipeline, "pipeline", 0, "an operation is a pipeline of this `number` of commands over any slots")
	set.IntVar(&o.load.Workers, "workers", 16,
		"`number` of goroutines that share one client: a closed loop, each sends when it has its reply")
	set.Float64Var(&o.load.Rate, "rate", 0,
		"`operations` a second over all workers: an open loop, whose latency counts from when an operation was due "+
			"(default: closed loop)")
	set.DurationVar(&o.load.Ramp, "ramp", 0, "the load grows evenly for this `time`, from the start of the warm-up")
	set.Func("conns",
		"`kinds` of connections, comma between them: reuse (one client for all) and per-call (a new one for each operation) "+
			"(default reuse)", list(&o.conns))
	set.BoolVar(&o.load.ReplicaReads, "replica-reads", false, "reads go to replicas where there are any")
	set.DurationVar(&o.load.Timeout, "timeout", 0, "`time` that an operation may take (default: what the client does by itself)")
}

// plans returns a flag that plans an experiment.
func (o *options) plans(what stage.Experiment) func(string) error {
	return func(text string) error {
		at, err := time.ParseDuration(text)
		if err != nil || at < 0 {
			return errors.New("not a time such as 15s")
		}
		o.plan = append(o.plan, planned{what, at})
		return nil
	}
}

func list(to *[]string) func(string) error {
	return func(text string) error {
		*to = strings.Split(text, ",")
		return nil
	}
}

// sizes reads "64,1k".
func sizes(to *[]int) func(string) error {
	return func(text string) error {
		*to = nil
		for part := range strings.SplitSeq(text, ",") {
			digits, factor := part, 1
			if cut, isKilo := strings.CutSuffix(strings.ToLower(part), "k"); isKilo {
				digits, factor = cut, 1024
			}
			n, err := strconv.Atoi(digits)
			if err != nil || n < 1 || n > mostValue/factor {
				return fmt.Errorf("sizes are 1 to %d bytes", mostValue)
			}
			*to = append(*to, n*factor)
		}
		return nil
	}
}

// complete fills in what depends on other flags.
func (o *options) complete() {
	o.local = o.local || o.inProcess
	if len(o.load.Values) == 0 {
		o.load.Values = []int{64}
	}
	if len(o.clients) == 0 {
		o.clients = []string{"keyslot"}
	}
	if len(o.conns) == 0 {
		o.conns = []string{reuse}
	}
	if o.load.Window == 0 {
		o.load.Window = max(min(30*time.Second, o.load.Duration/20), leastWindow)
	}
	if o.load.Seed == 0 {
		o.load.Seed = 1 + rand.Uint64N(1<<32-1)
	}
	o.load.Prefix = fmt.Sprintf("keyslot-bench:%x:", o.load.Seed)
	slices.SortStableFunc(o.plan, func(a, b planned) int { return cmp.Compare(a.at, b.at) })
}

// Bounds that keep a typing mistake from eating the machine, or the servers.
const (
	mostValue    = 64 << 20
	mostKeys     = 5_000_000
	mostBytes    = int64(8 << 30) // of all values
	mostWorkers  = 10_000
	mostPipeline = 10_000
	mostRate     = 5_000_000
	leastRate    = 0.001
	mostTime     = 30 * 24 * time.Hour
	leastWindow  = 100 * time.Millisecond
)

func checkCluster(o *options) error {
	switch {
	case o.local && o.target.Endpoint != "":
		return errors.New("-endpoint and -local exclude each other")
	case !o.local && o.target.Endpoint == "":
		return errors.New("where is the cluster? -endpoint host:port, or -local to start one here")
	case o.local && (o.target.TLS || o.target.IAM || o.target.User != ""):
		return errors.New("-tls, -user and -iam are for -endpoint: a local cluster has neither TLS nor users")
	case o.local && (o.cluster.Shards < 1 || o.cluster.Shards > 16 || o.cluster.Replicas < 0 || o.cluster.Replicas > 5):
		return errors.New("-shards is 1 to 16, and -replicas 0 to 5")
	case !o.local:
		return o.target.Check()
	}
	return nil
}

func checkLoad(o *options) error {
	l := o.load
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{!(l.Reads >= 0 && l.Reads <= 1), "-reads is 0 to 1"},
		{l.Keys < 1 || l.Keys > mostKeys, fmt.Sprintf("-keys is 1 to %d", mostKeys)},
		{l.Sessions < 0 || l.Sessions > mostKeys/4, fmt.Sprintf("-sessions is 1 to %d", mostKeys/4)},
		{int64(max(l.Keys, 4*l.Sessions))*int64(slices.Max(l.Values)) > mostBytes, "-keys times -value is more than 8 GiB"},
		{!slices.Contains(load.Distributions(), l.Dist),
			fmt.Sprintf("-dist %q is none of %s", l.Dist, strings.Join(load.Distributions(), ", "))},
		{l.Pipeline < 0 || l.Pipeline > mostPipeline, fmt.Sprintf("-pipeline is 1 to %d", mostPipeline)},
		{l.Pipeline > 1 && l.Sessions > 0, "-pipeline and -sessions exclude each other"},
		{l.Workers < 1 || l.Workers > mostWorkers, fmt.Sprintf("-workers is 1 to %d", mostWorkers)},
		{l.Rate != 0 && !(l.Rate >= leastRate && l.Rate <= mostRate), fmt.Sprintf("-rate is %g to %d", leastRate, mostRate)},
		{l.Ramp < 0 || l.WarmUp < 0 || l.Timeout < 0, "-ramp, -warmup and -timeout are not negative"},
		{max(l.Ramp, l.WarmUp, l.Timeout, l.Duration) > mostTime, "-duration, -ramp, -warmup and -timeout are 30 days at most"},
		{l.Duration < leastWindow, fmt.Sprintf("-duration is %v or more", leastWindow)},
		{l.Window < leastWindow, fmt.Sprintf("-window is %v or more", leastWindow)},
		{o.repeat < 1 || o.repeat > 1000, "-repeat is 1 to 1000"},
	} {
		if c.bad {
			return errors.New(c.text)
		}
	}
	if err := subset("-client", o.clients, client.Names()); err != nil {
		return err
	}
	return subset("-conns", o.conns, []string{reuse, perCall})
}

// subset returns an error unless all of given, each once, are known.
func subset(flag string, given, known []string) error {
	for i, name := range given {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s %q is none of %s", flag, name, strings.Join(known, ", "))
		}
		if slices.Contains(given[:i], name) {
			return fmt.Errorf("%s has %s twice", flag, name)
		}
	}
	return nil
}

func checkPlan(o *options) error {
	shards := o.cluster.Shards
	for i, p := range o.plan {
		if slices.ContainsFunc(o.plan[:i], func(other planned) bool { return other.what == p.what }) {
			return fmt.Errorf("-%s-at is given twice", p.what)
		}
		if p.at >= o.load.Duration {
			return fmt.Errorf("-%s-at %v is not before the end of the run, -duration %v", p.what, p.at, o.load.Duration)
		}
		if !o.local {
			continue
		}
		switch p.what {
		case stage.ScaleOut:
			shards++
		case stage.ScaleIn:
			shards--
		case stage.Failover, stage.Kill:
			if o.cluster.Replicas == 0 {
				return fmt.Errorf("-%s-at needs -replicas 1 or more", p.what)
			}
		}
		if shards < 1 {
			return errors.New("-scale-in-at would leave no shard: begin with -shards 2, or with -scale-out-at before it")
		}
	}
	return nil
}

func checkOutput(o *options) error {
	if o.json && o.emf {
		return errors.New("-json and -emf both print on standard output: choose one")
	}
	for flag, file := range map[string]string{"-csv": o.csv, "-report": o.report, "-chart": o.chart} {
		if file == "" {
			continue
		}
		if dir, err := os.Stat(filepath.Dir(file)); err != nil || !dir.IsDir() {
			return fmt.Errorf("%s %s: there is no such directory", flag, file)
		}
		if at, err := os.Stat(file); err == nil && at.IsDir() {
			return fmt.Errorf("%s %s: this is a directory", flag, file)
		}
	}
	return nil
}
