package elasticache

import (
	"net"
	"regexp"
	"strings"
)

// Kind is what a name of ElastiCache leads to.
type Kind int

// The kinds of endpoints. AWS describes them on the pages Endpoints and Replication.Endpoints of the ElastiCache User Guide.
const (
	// Unrecognized is a name that ElastiCache does not give: an alias (CNAME), an address, another service.
	Unrecognized Kind = iota
	// Configuration is a cluster with cluster mode enabled: the name resolves to its nodes.
	Configuration
	// Primary is the primary of a group with cluster mode disabled, whichever node that is.
	Primary
	// Reader is the replicas of a group with cluster mode disabled: one of them for each connection.
	Reader
	// SingleNode is one node, whatever its role, or a cache of one node.
	SingleNode
	// Serverless is a serverless cache: one name for everything, with TLS always.
	Serverless
)

var kindNames = [...]string{"unrecognized", "configuration", "primary", "reader", "node", "serverless"}

// String returns the kind in a word.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Unrecognized]
	}
	return kindNames[k]
}

// Endpoint is what can be read from a name.
type Endpoint struct {
	Kind Kind
	// Cache is the id of the replication group or the name of the serverless cache; empty where the name does not tell.
	// Two readings are guesses, see Recognize.
	Cache string
	// Region is the AWS Region ("us-east-1"), empty where the name does not tell.
	Region string
}

// shape is one way in which ElastiCache composes a name in front of the region; group 1, if there is one, is the cache.
// Where it guesses, the cache may be the whole first label.
type shape struct {
	kind    Kind
	guesses bool
	pattern *regexp.Regexp
}

// shapes are tried in this order; never written. With encryption in transit the kind comes first and the group is a
// label of its own, without it the kind comes last.
var shapes = []shape{
	{Configuration, false, regexp.MustCompile(`^clustercfg\.([a-z0-9-]+)\.[a-z0-9]+$`)},
	{Configuration, false, regexp.MustCompile(`^([a-z0-9-]+)\.[a-z0-9]+\.clustercfg$`)},
	{Primary, false, regexp.MustCompile(`^master\.([a-z0-9-]+)\.[a-z0-9]+$`)},
	{Reader, false, regexp.MustCompile(`^replica\.([a-z0-9-]+)\.[a-z0-9]+$`)},
	{Reader, true, regexp.MustCompile(`^([a-z0-9-]+)-ro\.[a-z0-9]+\.ng\.0001$`)},
	{Primary, false, regexp.MustCompile(`^([a-z0-9-]+)\.[a-z0-9]+\.ng\.0001$`)},
	// Six characters that AWS adds tell caches of one name apart, those that were and those that are. No page of AWS
	// says how many they are; every published name has as many.
	{Serverless, true, regexp.MustCompile(`^([a-z0-9-]+)-[a-z0-9]{6}\.serverless$`)},
	{Serverless, false, regexp.MustCompile(`^([a-z0-9-]+)\.serverless$`)},
	// "orders-001" is a node of the group "orders", or a cache of one node that somebody called so.
	{SingleNode, false, regexp.MustCompile(`^[a-z0-9-]+\.[a-z0-9]+\.0001$`)},
	{SingleNode, false, regexp.MustCompile(`^[a-z0-9-]+-[0-9]{3}\.([a-z0-9-]+)\.[a-z0-9]+$`)},
}

// Recognize reads a name that ElastiCache gave, with or without a port. Nothing is resolved: what a name leads to may
// say something else of itself. Two readings are guesses: "-ro" at the end of a group without encryption in transit is
// taken for the mark of its reader endpoint, and "-" with six letters or digits at the end of a serverless cache for
// what AWS adds to its name.
//
// Names below amazonaws.com and amazonaws.com.cn are recognized, and no others: not those of the European Sovereign
// Cloud (amazonaws.eu) and of isolated partitions.
func Recognize(name string) Endpoint {
	e, _ := recognize(name)
	return e
}

// recognize is Recognize, and returns the longer name too that the cache has where the reading was a wrong guess.
func recognize(name string) (e Endpoint, longer string) {
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	front, ok := strings.CutSuffix(strings.TrimSuffix(name, ".cn"), ".cache.amazonaws.com")
	if !ok {
		return Endpoint{}, ""
	}
	last := strings.LastIndexByte(front, '.')
	if last < 0 {
		return Endpoint{}, ""
	}
	for _, s := range shapes {
		found := s.pattern.FindStringSubmatch(front[:last])
		if found == nil {
			continue
		}
		e = Endpoint{Kind: s.kind, Region: regionOf(front[last+1:])}
		if len(found) > 1 {
			e.Cache = found[1]
		}
		if s.guesses {
			longer, _, _ = strings.Cut(front, ".")
		}
		return e, longer
	}
	return Endpoint{}, ""
}

// regionCode is how names spell a Region: as AZ IDs do, "use1" for us-east-1 (AWS RAM User Guide, "Availability Zone
// IDs for your AWS resources").
var regionCode = regexp.MustCompile(`^([a-z]{2})(g?)(ne|nw|se|sw|n|s|e|w|c)([1-9])$`)

// directions are spelled out in the names of Regions; never written.
var directions = map[string]string{
	"n": "north", "s": "south", "e": "east", "w": "west", "c": "central",
	"ne": "northeast", "nw": "northwest", "se": "southeast", "sw": "southwest",
}

// regionOf returns the Region of a code, or nothing for one that follows another rule.
func regionOf(code string) string {
	if code == "cnw1" { // the one exception: Ningxia is cn-northwest-1
		return "cn-northwest-1"
	}
	part := regionCode.FindStringSubmatch(code)
	if part == nil {
		return ""
	}
	area := part[1]
	if part[2] != "" {
		area += "-gov"
	}
	return area + "-" + directions[part[3]] + "-" + part[4]
}
