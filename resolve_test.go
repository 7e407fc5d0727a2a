package keyslot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeDNS answers from a table, after a delay.
type fakeDNS struct {
	mu      sync.Mutex
	delay   time.Duration
	linger  time.Duration // after its ctx has ended
	records map[string][]string
	err     error
	asked   int
}

func (d *fakeDNS) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	answer := time.After(d.delay)
	d.mu.Unlock()
	select {
	case <-answer:
	case <-ctx.Done():
		time.Sleep(d.linger)
	}
	d.mu.Lock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, record := range d.records[host] {
		addrs = append(addrs, netip.MustParseAddr(record))
	}
	return addrs, d.err
}

func (d *fakeDNS) slow(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = delay
}

func (d *fakeDNS) set(host string, records []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records, d.err = map[string][]string{host: records}, err
}

func (d *fakeDNS) lookups() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func addrs(texts ...string) (parsed []netip.Addr) {
	for _, text := range texts {
		parsed = append(parsed, netip.MustParseAddr(text))
	}
	return parsed
}

func TestCallersShareOneLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{delay: 100 * time.Millisecond, records: map[string][]string{"a": {"10.0.0.1", "10.0.0.2"}}}
		r := newResolver(dns, time.Second)
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				got, err := r.resolve(t.Context(), "a")
				assert.NoError(t, err)
				assert.Equal(t, addrs("10.0.0.1", "10.0.0.2"), got)
			})
		}
		callers.Wait()
		require.Equal(t, 1, dns.lookups(), "single-flight")

		dns.set("a", []string{"10.0.0.9"}, nil)
		time.Sleep(lookupEvery - 101*time.Millisecond)
		got, err := r.resolve(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, addrs("10.0.0.1", "10.0.0.2"), got)
		require.Equal(t, 1, dns.lookups(), "the answer is shared for a while")

		time.Sleep(time.Millisecond)
		got, err = r.resolve(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, addrs("10.0.0.9"), got, "then the name is resolved anew")
	})
}

func TestIPAddressesAreNotLookedUp(t *testing.T) {
	r := newResolver(nil, time.Second)
	got, err := r.resolve(t.Context(), "fe80::1%eth0")
	require.NoError(t, err)
	require.Equal(t, addrs("fe80::1%eth0"), got)
}

func TestTheResolverOfTheSystemFits(t *testing.T) {
	r := newResolver(net.DefaultResolver, 2*time.Second)
	t.Cleanup(r.close)
	got, err := r.resolve(t.Context(), "localhost")
	require.NoError(t, err)
	for _, addr := range got {
		require.True(t, addr.IsLoopback(), "%s", addr)
	}
}

func TestSlowDNSHoldsNobodyBeyondTheirContextOrTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{delay: time.Hour}
		r := newResolver(dns, 2*time.Second)
		begin := time.Now()
		hurried, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()

		_, err := r.resolve(hurried, "a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "resolve a")
		require.Equal(t, 30*time.Millisecond, time.Since(begin))

		time.Sleep(1500 * time.Millisecond)
		_, err = r.resolve(t.Context(), "a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(begin), "the lookup outlives its first caller, but not its timeout")
		require.Equal(t, 1, dns.lookups(), "a lookup that takes longer than a second is shared, too")
	})
}

func TestLastAddressesServeWhileDNSIsSilentButNotWhenTheNameIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{records: map[string][]string{"a": {"10.0.0.1"}}}
		r := newResolver(dns, time.Second)
		resolve := func() ([]netip.Addr, error) {
			time.Sleep(lookupEvery)
			return r.resolve(t.Context(), "a")
		}
		_, err := resolve()
		require.NoError(t, err)

		for range 2 {
			dns.set("a", nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true})
			got, err := resolve()
			require.NoError(t, err)
			require.Equal(t, addrs("10.0.0.1"), got)
		}

		gone := &net.DNSError{Err: "no such host", IsNotFound: true}
		dns.set("a", nil, gone)
		_, err = resolve()
		require.ErrorIs(t, err, gone)

		dns.set("a", nil, errors.New("server misbehaving"))
		_, err = resolve()
		require.ErrorContains(t, err, "server misbehaving", "a name that was gone has no last addresses")

		dns.set("a", nil, nil)
		_, err = resolve()
		require.ErrorContains(t, err, "no addresses")
	})
}

func TestSlowDNSDelaysKnownAddressesOnlyALittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{records: map[string][]string{"a": {"10.0.0.1"}}}
		r := newResolver(dns, 2*time.Second)
		_, err := r.resolve(t.Context(), "a")
		require.NoError(t, err)
		time.Sleep(lookupEvery)

		dns.set("a", []string{"10.0.0.9"}, nil)
		dns.slow(700 * time.Millisecond)
		begin := time.Now()
		got, err := r.resolve(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, addrs("10.0.0.1"), got)
		require.Equal(t, dnsPatience, time.Since(begin))

		time.Sleep(200 * time.Millisecond)
		got, err = r.resolve(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, addrs("10.0.0.9"), got, "the late answer is used once it is there")
		r.close()
	})
}

func TestResolverKeepsABoundedNumberOfNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResolver(&fakeDNS{}, time.Second)
		for i := range 5 * maxNames {
			_, err := r.resolve(t.Context(), fmt.Sprint("node-", i))
			require.Error(t, err)
		}
		require.LessOrEqual(t, len(r.answers), maxNames)
	})
}

func TestClosingTheResolverEndsItsLookupsAndWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResolver(&fakeDNS{delay: time.Hour, linger: 5 * time.Millisecond}, time.Hour)
		var caller sync.WaitGroup
		caller.Go(func() {
			_, err := r.resolve(t.Context(), "a")
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()

		begin := time.Now()
		r.close()
		require.Equal(t, 5*time.Millisecond, time.Since(begin))
		caller.Wait()
		_, err := r.resolve(t.Context(), "a")
		require.ErrorIs(t, err, errResolverClosed)
	})
}

func TestCandidatesAreAllRecordsOfAllEndpointsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{delay: dnsPatience / 2, records: map[string][]string{
			"a": {"10.0.0.1", "::ffff:10.0.0.2", "fd00::1"}, "b": {"10.0.0.2", "10.0.0.3"},
		}}
		r := newResolver(dns, 2*time.Second)
		begin := time.Now()
		got, err := r.candidates(t.Context(), []endpoint{{"a", 7000}, {"b", 7000}, {"b", 7001}, {"nowhere", 7000}, {"10.0.0.1", 7000}})
		require.NoError(t, err)
		require.Equal(t, dnsPatience/2, time.Since(begin), "all names are resolved at the same time")

		var names []string
		for _, c := range got {
			names = append(names, c.String())
		}
		require.ElementsMatch(t, []string{
			"a:7000 (10.0.0.1:7000)", "a:7000 (10.0.0.2:7000)", "a:7000 ([fd00::1]:7000)",
			"b:7000 (10.0.0.3:7000)", "b:7001 (10.0.0.2:7001)", "b:7001 (10.0.0.3:7001)",
		}, names)
	})
}

func TestCandidatesFailOnlyWithoutAnyAddressAndNameEveryEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := &net.DNSError{Err: "no such host", IsNotFound: true}
		r := newResolver(&fakeDNS{err: gone}, time.Second)
		_, err := r.candidates(t.Context(), []endpoint{{"a", 1}, {"b", 1}})
		require.ErrorIs(t, err, gone)
		require.ErrorContains(t, err, "resolve a")
		require.ErrorContains(t, err, "resolve b")
	})
}

func TestCandidatesSpreadOverNodesAndAlternateFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{records: map[string][]string{"a": {"10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"}}}
		r := newResolver(dns, time.Second)
		first := make(map[netip.Addr]int)
		for range 1000 {
			got, err := r.candidates(t.Context(), []endpoint{{"a", 1}})
			require.NoError(t, err)
			first[got[0].addr.Addr()]++
			for i := range 3 {
				require.NotEqual(t, got[i].addr.Addr().Is4(), got[i+1].addr.Addr().Is4(), "%v", got)
			}
		}
		require.Len(t, first, 5)
		for addr, n := range first {
			require.InDelta(t, 200, n, 100, "%s comes first as often as the others", addr)
		}
	})
}

// silentFor answers for all names but one.
type silentFor string

func (name silentFor) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if host == string(name) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return addrs("10.0.0.1"), nil
}

func TestANameWithoutAnAnswerDelaysTheOthersOnlyALittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResolver(silentFor("dead"), 2*time.Second)
		defer r.close()
		began := time.Now()
		found, err := r.candidates(t.Context(), []endpoint{{"dead", 6379}, {"good", 6379}})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, dnsPatience, time.Since(began))
	})
}

func TestManyKnownNamesWaitForDNSTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{records: map[string][]string{"a": {"10.0.0.1"}, "b": {"10.0.0.2"}, "c": {"10.0.0.3"}}}
		r := newResolver(dns, 2*time.Second)
		defer r.close()
		all := []endpoint{{"a", 6379}, {"b", 6379}, {"c", 6379}}
		_, err := r.candidates(t.Context(), all)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		dns.slow(time.Hour)
		began := time.Now()
		found, err := r.candidates(t.Context(), all)
		require.NoError(t, err)
		require.Len(t, found, 3)
		require.Equal(t, dnsPatience, time.Since(began))
	})
}
