package main

import (
	"context"
	"crypto/rand"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

// A lease is a short lock on an entry of the cache, beside it in its slot. Who holds it may put a value there, and
// nobody else: a loader whose lease a writer has taken over may have read the old value.

// productKeys are the keys of an entry and of its lease, in one slot by their hash tag.
func productKeys(id string) (entry, lease string) {
	return "product:{" + id + "}", "product:{" + id + "}:lease"
}

// takeLease takes the lease if it is free. It is not held either when nobody can tell; then it ends by itself.
func (p *products) takeLease(ctx context.Context, id string) (token string, held bool) {
	ctx, cancel := context.WithTimeout(ctx, p.times.patience)
	defer cancel()
	_, lease := productKeys(id)
	token = rand.Text()
	// Not by the idempotent view: sent twice, it would find the lease taken by itself.
	held, err := p.client.SetNX(ctx, lease, token, command.PX(p.times.lease))
	return token, err == nil && held
}

// seizeLease takes the lease from whoever has it, and removes the entry. With an error nothing is lost but a cached value.
func (p *products) seizeLease(ctx context.Context, id string) (token string, err error) {
	entry, lease := productKeys(id)
	token = rand.Text()
	tx := p.idempotent.Tx()
	tx.Set(lease, token, command.PX(p.times.lease))
	tx.Del(entry)
	return token, tx.Exec(ctx)
}

// settleScript puts a value (ARGV 2) with its time to live (ARGV 3) into the entry (KEYS 1) if the lease (KEYS 2) is
// still that of the token (ARGV 1), and ends the lease. If it is not, two values are about, and only the database knows
// which one is right: then there is to be no entry, and the other's lease ends too.
var settleScript = keyslot.NewScript(`
	if redis.call('GET', KEYS[2]) == ARGV[1] then
		redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
	else
		redis.call('DEL', KEYS[1])
	end
	return redis.call('DEL', KEYS[2])`)

// settle puts a value into the cache. It is done even if the request has been given up meanwhile.
func (p *products) settle(ctx context.Context, id, token, value string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.times.patience)
	defer cancel()
	entry, lease := productKeys(id)
	// Run twice, it finds no lease of its own and removes the entry, which is no harm.
	_, err := settleScript.Run(ctx, p.idempotent, []string{entry, lease}, token, value, p.lifetime().Milliseconds())
	if err != nil {
		p.logger.WarnContext(ctx, "a product is not cached", "err", err)
	}
}

// dropLease ends a lease, so that nobody waits for it in vain. To end somebody else's is no harm: it keeps a value
// out of the cache.
func (p *products) dropLease(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.times.patience)
	defer cancel()
	_, lease := productKeys(id)
	if _, err := p.idempotent.Del(ctx, lease); err != nil {
		p.logger.WarnContext(ctx, "a lease is left to expire", "err", err)
	}
}
