package load

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
)

// data is what all workers read from, made before the clock starts.
type data struct {
	small, large, huge []string // keys
	value              string   // of smallSize
	largeValue         string
	hugeValue          string
}

func newData() *data {
	return &data{
		small: SmallKeys(), large: LargeKeys(), huge: HugeKeys(),
		value: SmallValue(), largeValue: LargeValue(), hugeValue: HugeValue(),
	}
}

// operation is one operation of a workload, as one worker does it.
type operation func(ctx context.Context, c client.Client, d *data, p *picker) error

// operations are the workloads by name.
func operations() map[string]operation {
	return map[string]operation{
		"get64":   get64,
		"set64":   set64,
		"get4k":   get4k,
		"get64k":  get64k,
		"set64k":  set64k,
		"mixed":   mixed,
		"pipe100": pipe100,
		"pipe1k":  pipe1k,
		"pipe10k": pipe10k,
		"pipe4k":  pipe4k,
		"mget100": mget100,
		"mget4k":  mget4k,
	}
}

// Workloads returns the names of the workloads, sorted.
func Workloads() []string { return slices.Sorted(maps.Keys(operations())) }

func get64(ctx context.Context, c client.Client, d *data, p *picker) error {
	value, err := c.Get(ctx, d.small[p.below(len(d.small))])
	return check(len(value), smallSize, err)
}

func set64(ctx context.Context, c client.Client, d *data, p *picker) error {
	return c.Set(ctx, d.small[p.below(len(d.small))], d.value)
}

func get4k(ctx context.Context, c client.Client, d *data, p *picker) error {
	value, err := c.Get(ctx, d.large[p.below(len(d.large))])
	return check(len(value), largeSize, err)
}

func get64k(ctx context.Context, c client.Client, d *data, p *picker) error {
	value, err := c.Get(ctx, d.huge[p.below(len(d.huge))])
	return check(len(value), hugeSize, err)
}

func set64k(ctx context.Context, c client.Client, d *data, p *picker) error {
	return c.Set(ctx, d.huge[p.below(len(d.huge))], d.hugeValue)
}

// mixed reads four times out of five.
func mixed(ctx context.Context, c client.Client, d *data, p *picker) error {
	if p.below(5) == 0 {
		return set64(ctx, c, d, p)
	}
	return get64(ctx, c, d, p)
}

func pipe100(ctx context.Context, c client.Client, d *data, p *picker) error {
	return pipeline(ctx, c, neighbours(d.small, batchSize, p), d.value)
}

func pipe1k(ctx context.Context, c client.Client, d *data, p *picker) error {
	return pipeline(ctx, c, neighbours(d.small, 10*batchSize, p), d.value)
}

func pipe10k(ctx context.Context, c client.Client, d *data, p *picker) error {
	return pipeline(ctx, c, neighbours(d.small, 100*batchSize, p), d.value)
}

func pipe4k(ctx context.Context, c client.Client, d *data, p *picker) error {
	return pipeline(ctx, c, neighbours(d.large, batchSize, p), d.largeValue)
}

// pipeline reads every other key and writes value to the rest.
func pipeline(ctx context.Context, c client.Client, keys []string, value string) error {
	read, err := c.Pipeline(ctx, keys, value)
	return check(read, len(keys)/2*len(value), err)
}

func mget100(ctx context.Context, c client.Client, d *data, p *picker) error {
	read, err := c.MGet(ctx, neighbours(d.small, batchSize, p))
	return check(read, batchSize*smallSize, err)
}

func mget4k(ctx context.Context, c client.Client, d *data, p *picker) error {
	read, err := c.MGet(ctx, neighbours(d.large, batchSize, p))
	return check(read, batchSize*largeSize, err)
}

// neighbours returns n of the keys, whose slots are spread over the whole cluster as those of any others.
func neighbours(keys []string, n int, p *picker) []string {
	from := p.below(len(keys) - n + 1)
	return keys[from : from+n]
}

// check makes an error of a reply of the wrong size, so that no client is fast by not reading.
func check(got, want int, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("read %d bytes instead of %d", got, want)
	}
	return err
}
