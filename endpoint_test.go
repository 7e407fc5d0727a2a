package keyslot

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseTarget(t *testing.T) {
	at := func(endpoints ...string) urlOptions { return urlOptions{Endpoints: endpoints} }
	for target, want := range map[string]urlOptions{
		"cache.example.com:7000":        at("cache.example.com:7000"),
		"cache.example.com":             at("cache.example.com:6379"),
		"10.0.0.1":                      at("10.0.0.1:6379"),
		"[::1]:7000":                    at("[::1]:7000"),
		"[::1]":                         at("[::1]:6379"),
		"[fe80::1%eth0]:7000":           at("[fe80::1%eth0]:7000"),
		"a:1,b:65535,c":                 at("a:1", "b:65535", "c:6379"),
		"under_score.-x.":               at("under_score.-x.:6379"),
		"redis://a":                     at("a:6379"),
		"REDIS://a:7000/":               at("a:7000"),
		"redis://a:7000/0":              at("a:7000"),
		"redis://a:6379,[::1]:7000,c/0": at("a:6379", "[::1]:7000", "c:6379"),
		"redis://[fe80::1%25eth0]:7000": at("[fe80::1%eth0]:7000"),
		"redis://@a":                    at("a:6379"),
		"redis://a?":                    at("a:6379"),

		"rediss://a":                        {Endpoints: []string{"a:6379"}, TLS: true},
		"valkey://a":                        {Endpoints: []string{"a:6379"}},
		"valkeys://a":                       {Endpoints: []string{"a:6379"}, TLS: true},
		"redis://ann@a":                     {Endpoints: []string{"a:6379"}, Username: "ann"},
		"redis://:pw@a":                     {Endpoints: []string{"a:6379"}, Password: "pw"},
		"redis://ann:p:w@a":                 {Endpoints: []string{"a:6379"}, Username: "ann", Password: "p:w"},
		"redis://a%3Ab:%40%2F%3F%23%25+=@a": {Endpoints: []string{"a:6379"}, Username: "a:b", Password: "@/?#%+="},

		"redis://a?client_name=orders+api&dial_timeout=1s&command_timeout=250ms&peer_timeout=3s": {
			Endpoints: []string{"a:6379"}, ClientName: "orders api",
			DialTimeout: time.Second, CommandTimeout: 250 * time.Millisecond, PeerTimeout: 3 * time.Second,
		},
		"redis://a?reader=b": {Endpoints: []string{"a:6379"}, Reader: "b:6379"},
		"redis://a/0?idle_probe=1m&refresh_after=90s&conns_per_node=2&max_in_flight=1000&lazy=true": {
			Endpoints: []string{"a:6379"},
			IdleProbe: time.Minute, RefreshAfter: 90 * time.Second, ConnsPerNode: 2, MaxInFlight: 1000, Lazy: true,
		},
	} {
		got, err := parseTarget(target)
		require.NoError(t, err, target)
		require.Equal(t, want, got, target)
	}
}

func TestParseTargetRefusesAndSaysWhatToDo(t *testing.T) {
	for _, c := range []struct{ target, shown, reason string }{
		{"", "", "write host:port"},
		{" a:6379", " a:6379", "a space"},
		{"a:6379\n", "a:***", "line break"},
		{strings.Repeat("a", 10_000), strings.Repeat("a", 256) + "...", "longer than"},
		{strings.Repeat("a", 254), strings.Repeat("a", 254), "domain name"},
		{":6379", ":6379", "no host"},
		{"redis://", "redis://", "empty"},
		{"redis://:6379", "redis://:6379", "no host"},
		{"redis://a,", "redis://a,", "empty"},
		{"a:", "a:***", "1 to 65535"},
		{"a:0", "a:0", "1 to 65535"},
		{"a:65536", "a:65536", "1 to 65535"},
		{"a:+80", "a:***", "1 to 65535"},
		{"::1", "::1", "[::1]:6379"},
		{"fe80::1:6379", "fe80::1:6379", "[::1]:6379"},
		{"[::1", "[:***", "[::1]:6379"},
		{"[::1]x:6379", "[::1]x:6379", "[::1]:6379"},
		{"[fe80::1%eth0]x", "[fe80::1%eth0]x", "[::1]:6379"},
		{"[10.0.0.1]:6379", "[10.0.0.1]:6379", "[::1]:6379"},
		{"[]:6379", "[]:6379", "[::1]:6379"},
		{"exämple:6379", "exämple:6379", "domain name"},
		{"ho\xffst", "ho\xffst", "domain name"},
		{"http://a", "http://a", "redis://"},
		{"://a", ":***", "redis://"},
		{"ann:pw@a:6379", "***@a:6379", "redis://user:password@host:port"},
		{"a:6379/0", "a:6379", "redis://user:password@host:port"},
		{"a:6379?lazy=1", "a:6379", "redis://user:password@host:port"},
		{"redis://a/1", "redis://a", "database 0 only"},
		{"redis://a/0/0", "redis://a", "database 0 only"},
		{"redis://a#b", "redis://a", "%23"},
		{"redis://:%zz@a", "redis://***@a", "%25"},
		{"redis://:p@w@a", "redis://***@a", "%40"},
		{"redis://:p/w@a", "redis://***@a", "%2F"},
		{"redis://:p?w@a", "redis://***@a", "%3F"},
		{"redis://:p#w@a", "redis://***@a", "%23"},
		{"redis://a:pw", "redis://a:***", "1 to 65535"},
		{"redis://:pw:6379", "redis://:***", "more than one colon"},
		{"redis://a?timeout=1s", "redis://a", `unknown option "timeout": the options are client_name, dial_timeout`},
		{"redis://a?lazy=1&lazy=0", "redis://a", "twice"},
		{"redis://a?reader=b:x", "redis://a", "option reader must be host:port"},
		{"redis://a?lazy=maybe", "redis://a", "option lazy must be true or false"},
		{"redis://a?dial_timeout=2", "redis://a", "option dial_timeout must be a duration above zero"},
		{"redis://a?dial_timeout=-1s", "redis://a", "above zero"},
		{"redis://a?conns_per_node=0", "redis://a", "option conns_per_node must be a whole number above zero"},
		{"redis://a?max_in_flight=99999999999999999999", "redis://a", "whole number"},
		{"redis://a?client_name=%", "redis://a", "%25"},
	} {
		_, err := parseTarget(c.target)
		var refused *EndpointError
		require.ErrorAs(t, err, &refused, "%q", c.target)
		require.Equal(t, c.shown, refused.Endpoint, "%q", c.target)
		require.Contains(t, refused.Reason, c.reason, "%q", c.target)
		require.Contains(t, err.Error(), refused.Reason)
	}
}

func TestParseEndpoints(t *testing.T) {
	got, err := parseEndpoints([]string{"a:7000", "[::1]", "10.0.0.1"})
	require.NoError(t, err)
	require.Equal(t, []endpoint{{"a", 7000}, {"::1", 6379}, {"10.0.0.1", 6379}}, got)

	for _, wrong := range []string{"", "redis://a", "ann:pw@a:6379", "a,b", "a/0"} {
		_, err := parseEndpoints([]string{"a", wrong})
		var refused *EndpointError
		require.ErrorAs(t, err, &refused, "%q", wrong)
		require.NotContains(t, err.Error(), "pw")
	}
	_, err = parseEndpoints(nil)
	require.ErrorContains(t, err, "set Options.Endpoints")
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"redis://ann:p%40w@a:6379,[::1]:7000/0?lazy=true&dial_timeout=1s", "rediss://a", "a:6379", "[fe80::1%eth0]:1",
		"redis://[fe80::1%25eth0]", "://", "@", "redis://@:@", "[", "[]:", "redis://a?=&=", ",", "redis://a:6379#?@",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		o, err := parseTarget(target)
		if err != nil {
			var refused *EndpointError
			require.ErrorAs(t, err, &refused)
			require.NotEmpty(t, refused.Reason)
			return
		}
		require.NotEmpty(t, o.Endpoints)
		parsed, err := parseEndpoints(o.Endpoints)
		require.NoError(t, err, "what Open accepts, Options.Endpoints accepts")
		for i, e := range parsed {
			require.Equal(t, o.Endpoints[i], e.String(), "printing and parsing an endpoint changes nothing")
		}
	})
}

// FuzzPasswordIsNeverShown puts a marker into a password among bytes that may break the URL anywhere.
func FuzzPasswordIsNeverShown(f *testing.F) {
	const marker = "s3cretMark"
	for _, around := range []string{"", "/", "?", "#", "@", ":", ",", "%", "%zz", "://", "[", "]", " ", "\n", "&lazy=", "/0?", ":6379/"} {
		for _, scheme := range []string{"redis://", "http://", ""} {
			f.Add(scheme, "ann", around, around, "a:6379/0?lazy=x")
			f.Add(scheme, around, "", around, "a")
		}
	}
	f.Fuzz(func(t *testing.T, scheme, user, before, after, host string) {
		password := before + marker + after
		if strings.Contains(scheme+user+host, "cret") {
			t.Skip("the marker must be in the password only")
		}
		o, err := parseTarget(fmt.Sprintf("%s%s:%s@%s", scheme, user, password, host))
		if err != nil {
			require.NotContains(t, err.Error(), marker)
			return
		}
		require.NotContains(t, strings.Join(o.Endpoints, ","), marker, "a password must not be looked up as a name")
		o, err = parseTarget("redis://" + url.UserPassword(user, password).String() + "@a")
		require.NoError(t, err)
		require.Equal(t, [2]string{user, password}, [2]string{o.Username, o.Password}, "percent-encoding carries any bytes")
	})
}
