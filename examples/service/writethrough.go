package main

import "context"

// Save writes a product to the database and, with it, to the cache. Once it has returned nil, nobody reads an older
// one; with an error, the database has not changed.
//
// The entry goes first, and the lease keeps others away while the database is written. So whatever fails, and wherever,
// the cache holds the new value or none.
func (p *products) Save(ctx context.Context, id, product string) error {
	ctx, cancel := context.WithTimeout(ctx, p.times.load)
	defer cancel()
	token, err := p.seizeLease(ctx, id)
	if err != nil {
		return err
	}
	if err := p.database.Store(ctx, id, product); err != nil {
		p.dropLease(ctx, id)
		return err
	}
	p.settle(ctx, id, token, product)
	return nil
}
