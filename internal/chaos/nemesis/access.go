package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/names"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// accessFamily is about getting in: names, addresses, credentials, and servers that take no more connections.
func accessFamily() []Nemesis {
	return []Nemesis{
		{
			Name: "addresses", What: "every node gets another address, and the configuration name leads to the new ones",
			Run: readdress, Expects: []string{dials}, Dials: 200,
		},
		{
			Name: "names", What: "no name can be resolved while connections are reset",
			Run: nameless, Expects: []string{reset, dials}, Dials: 300,
		},
		{
			Name: "max-clients", What: "servers take no more connections, and the present ones are reset",
			Run: maxClients, Expects: []string{reset, failedDial}, Dials: 300,
		},
		{
			Name: "credentials", What: "the password is rotated, and rotated back",
			Run: rotate, Expects: []string{reset, dials}, Dials: 100,
		},
	}
}

func readdress(ctx context.Context, s *Stage) error { return s.Net.Readdress(ctx) }

// nameless resets connections while lookups fail, or take their time.
func nameless(ctx context.Context, s *Stage) error {
	trouble := names.Trouble{Fail: true}
	if s.oneIn(2) {
		trouble = names.Trouble{Delay: s.between(500*time.Millisecond, 3*time.Second)}
	}
	lasts := s.between(500*time.Millisecond, 2*time.Second)
	s.note("%+v for %v", trouble, lasts)
	s.Net.Names().SetTrouble(trouble)
	defer s.Net.Names().SetTrouble(names.Trouble{})
	for _, n := range s.Cluster.Live() {
		s.reset(n)
	}
	return realcluster.Wait(ctx, lasts)
}

// maxClients keeps a connection to each node, by which the limit is lifted again: the harness would not get in either.
func maxClients(ctx context.Context, s *Stage) (err error) {
	nodes := s.Cluster.Live()
	if !s.oneIn(3) {
		n, err := s.primary(ctx)
		if err != nil {
			return err
		}
		nodes = []*realcluster.Node{n}
	}
	lasts := s.between(500*time.Millisecond, 3*time.Second)
	s.note("%d nodes for %v", len(nodes), lasts)
	for _, n := range nodes {
		lift, limitErr := s.limit(ctx, n)
		if limitErr != nil {
			return limitErr
		}
		defer func() { err = errors.Join(err, lift()) }()
		s.reset(n)
	}
	return realcluster.Wait(ctx, lasts)
}

// limit makes n refuse every further connection, until lift is called.
func (s *Stage) limit(ctx context.Context, n *realcluster.Node) (lift func() error, err error) {
	conn, err := s.Cluster.Dial(ctx, n)
	if err != nil {
		return nil, err
	}
	before, err := conn.Do(ctx, "CONFIG", "GET", "maxclients")
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var usual string
	if _, err := fmt.Sscanf(before, "maxclients\n%s", &usual); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	lift = func() error {
		ctx, cancel := undoing(ctx)
		defer cancel()
		defer conn.Close()
		_, err := conn.Do(ctx, "CONFIG", "SET", "maxclients", usual)
		return err
	}
	if _, err := conn.Do(ctx, "CONFIG", "SET", "maxclients", "1"); err != nil {
		return nil, errors.Join(err, lift())
	}
	return lift, nil
}

// rotate replaces the password without a moment in which none is valid, and resets connections so that new ones need
// it. It goes back to the first one, with which servers are started.
func rotate(ctx context.Context, s *Stage) error {
	old := s.Access.Password()
	next := fmt.Sprintf("rotated-%x", s.Rand.Uint64())
	for _, turn := range [][2]string{{old, next}, {next, old}} {
		if err := s.password(ctx, turn[0], turn[1]); err != nil {
			return err
		}
		if err := realcluster.Wait(ctx, s.between(200*time.Millisecond, time.Second)); err != nil {
			return err
		}
		for _, n := range s.Cluster.Live() {
			s.reset(n)
		}
		if err := realcluster.Wait(ctx, s.between(200*time.Millisecond, time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// password replaces one password of the client's user by another on all nodes, and tells the client in between.
func (s *Stage) password(ctx context.Context, from, to string) error {
	err := s.everyNode(func(n *realcluster.Node) error { return s.tell(ctx, n, "ACL", "SETUSER", s.Access.User(), ">"+to) })
	if err != nil {
		return err
	}
	if err := s.Access.Give(ctx, to); err != nil {
		return err
	}
	return s.everyNode(func(n *realcluster.Node) error { return s.tell(ctx, n, "ACL", "SETUSER", s.Access.User(), "<"+from) })
}
