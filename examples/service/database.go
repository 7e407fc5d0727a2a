package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errNoProduct is the database's word that there is no such product.
var errNoProduct = errors.New("no such product")

// database stands for one that is slow and precious: each call takes its time, and is counted.
type database struct {
	cost time.Duration // immutable

	// guarded by mu
	mu       sync.Mutex
	products map[string]string // JSON, by id
	reads    int
}

// newDatabase returns a database of three products.
func newDatabase(cost time.Duration) *database {
	products := map[string]string{}
	for i, name := range []string{"anvil", "bellows", "crucible"} {
		products[fmt.Sprint(i+1)] = fmt.Sprintf(`{"name":%q,"cents":%d}`, name, 1900*(i+1))
	}
	return &database{cost: cost, products: products}
}

// Find returns a product, or errNoProduct.
func (d *database) Find(ctx context.Context, id string) (string, error) {
	d.mu.Lock()
	d.reads++
	d.mu.Unlock()
	if err := d.work(ctx); err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	product, ok := d.products[id]
	if !ok {
		return "", errNoProduct
	}
	return product, nil
}

// Store replaces a product or adds it. With an error it has changed nothing.
func (d *database) Store(ctx context.Context, id, product string) error {
	if err := d.work(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.products[id] = product
	return nil
}

// Reads returns how often somebody has looked for a product.
func (d *database) Reads() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reads
}

func (d *database) work(ctx context.Context) error {
	timer := time.NewTimer(d.cost)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
