package keyslot

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// core is what a client and its views share.
type core struct {
	// immutable
	opts      Options
	terms     terms // of the client that New returns
	endpoints []endpoint
	reader    endpoint // without a host if there is none
	seats     seats    // of the reader endpoint
	resolver  *resolver
	logins    loginPace // at the addresses behind the endpoints
	first     progress  // of the first map
	pool      *pool
	refresher *refresher
	scout     *scout
	idle      sync.Pool // of *call
	flights   sync.Pool // of *flight
	splits    sync.Pool // of *split
	slabs     sync.Pool // of *slab
	requests  sync.Pool // of *resp.Requests, for flights
	batches   sync.Pool // of *wire.Call, for flights
	calm      trouble   // that of calls which have none
	born      time.Time
	asks      sync.WaitGroup // entries of races
	larges    *largeRequests
	asked     askedSlots
	spreads   atomic.Bool // somebody reads by another policy than Primary
	errands   errands

	routes  atomic.Pointer[routes] // the installed map; nil before the first
	fresh   atomic.Int64           // until when the map is young enough: nanoseconds since born
	install sync.Mutex             // held while routes is replaced

	running       gate
	subscriptions subscriptions
	closing       sync.Once
	done          chan struct{} // closed by close
}

func newCore(opts Options) (*core, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	opts.hidePassword()
	endpoints, err := parseEndpoints(opts.Endpoints)
	if err != nil {
		return nil, err
	}
	c := &core{opts: opts, endpoints: endpoints, born: time.Now(), done: make(chan struct{})}
	if opts.Reader != "" {
		if c.reader, err = parseEndpoint(opts.Reader); err != nil {
			return nil, err
		}
	}
	c.seats.held = make(map[*node]netip.Addr)
	c.terms = terms{core: c, timeout: opts.CommandTimeout, reads: opts.ReadFrom, called: opts.Trace.Called}
	c.larges = newLargeRequests()
	c.spreads.Store(opts.ReadFrom != Primary)
	c.running.empty = make(chan struct{})
	c.subscriptions.all = make(map[*Subscription]bool)
	c.idle.New = func() any { return newCall(c) }
	c.flights.New = func() any { return newFlight(c) }
	c.splits.New = func() any { return new(split) }
	c.slabs.New = func() any { return newSlab(c) }
	c.requests.New = func() any { return new(resp.Requests) }
	c.batches.New = func() any { return new(wire.Call) }
	c.resolver = newResolver(opts.Resolver, opts.DialTimeout)
	c.pool = newPool(opts.ConnsPerNode, c.dialNode)
	c.pool.dialReader = c.dialReader
	c.refresher = newRefresher(c.refresh, c.size, opts.Logger)
	c.scout = newScout(c.look, c.size)
	return c, nil
}

func (c *core) begin() *call { return c.idle.Get().(*call) }

func (c *core) shutdown(ctx context.Context) (err error) {
	if ctx == nil {
		return errNilContext
	}
	c.running.shut()
	select {
	case <-c.running.empty:
	case <-ctx.Done():
	}
	select {
	case <-c.running.empty: // though ctx may have ended as well
		c.pool.drain(ctx)
	default:
		err = ctx.Err()
	}
	c.close()
	return err
}

// close returns when everything has ended, whoever began to close.
func (c *core) close() {
	c.closing.Do(func() {
		c.running.shut()
		c.install.Lock()
		close(c.done)
		c.install.Unlock()
		// The order is that of who starts whom: subscriptions ask for looks and refreshes, looks for refreshes, those
		// start races, races and commands start dials, dials open connections. A refresh may ask for a look as well,
		// which does nothing by then.
		c.subscriptions.close()
		c.scout.looks.close()
		c.refresher.close()
		c.resolver.close()
		c.pool.close()
		c.errands.close()
		c.asks.Wait()
		c.pool.waitConns()
	})
}

func (c *core) isClosed() bool { return isOver(c.done) }

// now is the time in nanoseconds since the client was made.
func (c *core) now() int64 { return int64(time.Since(c.born)) }
