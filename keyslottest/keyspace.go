package keyslottest

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// visible calls yield for every key of a slot that n holds; a replica holds what its primary does. mu is held.
func (c *Cluster) visible(n *node, slot uint16, yield func(key string)) {
	m := c.migrations[slot]
	switch {
	case m != nil && (n.shard == m.from || n.shard == m.to):
		c.store.inSlot(slot, func(key string) {
			if m.holds(c.store, n, key) {
				yield(key)
			}
		})
	case c.owner[slot] == n.shard:
		c.store.inSlot(slot, yield)
	}
}

// keysOf are the keys n holds, sorted by slot and then by name.
func (c *Cluster) keysOf(n *node) (keys []string) {
	for slot := range uint16(slotCount) {
		keys = append(keys, c.keysIn(n, slot)...)
	}
	return keys
}

func (c *Cluster) keysIn(n *node, slot uint16) (keys []string) {
	c.visible(n, slot, func(key string) { keys = append(keys, key) })
	slices.Sort(keys)
	return keys
}

func (c *Cluster) countKeys(n *node) (count int) {
	for slot := range uint16(slotCount) {
		c.visible(n, slot, func(string) { count++ })
	}
	return count
}

func dbsize(cn *conn, _ []string) { cn.out.int(int64(cn.cluster.countKeys(cn.node))) }

func randomKey(cn *conn, _ []string) {
	keys := cn.cluster.keysOf(cn.node)
	if len(keys) == 0 {
		cn.out.null()
		return
	}
	cn.out.bulk(keys[rand.IntN(len(keys))])
}

func keysLike(cn *conn, args []string) {
	keys := slices.DeleteFunc(cn.cluster.keysOf(cn.node), func(key string) bool { return !globMatch(args[1], key) })
	cn.out.bulks(keys)
}

// flush removes what this node holds, and leaves the other nodes' keys.
func flush(cn *conn, args []string) {
	if len(args) > 2 || len(args) == 2 && !strings.EqualFold(args[1], "sync") && !strings.EqualFold(args[1], "async") {
		cn.out.error(errSyntax)
		return
	}
	c := cn.cluster
	keys := c.keysOf(cn.node)
	c.store.remove(keys)
	c.wrote(cn.node, keys)
	cn.out.ok()
}

// globMatch matches as the server does: * ? [a-z] [^a] and \ before a character to be taken literally. It backtracks
// only to the last star, so that no pattern takes more than len(pattern) * len(s) steps.
func globMatch(pattern, s string) bool {
	star, resume := -1, 0
	p, i := 0, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, resume = p, i
			p++
			continue
		}
		if p < len(pattern) {
			if width, ok := globOne(pattern[p:], s[i]); ok {
				p += width
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		p, i = star+1, resume
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// globOne matches one character against the start of pattern, and says how much of the pattern that was.
func globOne(pattern string, ch byte) (width int, ok bool) {
	switch {
	case pattern[0] == '?':
		return 1, true
	case pattern[0] == '\\' && len(pattern) > 1:
		return 2, pattern[1] == ch
	case pattern[0] != '[':
		return 1, pattern[0] == ch
	}
	i, negated, found := 1, false, false
	if i < len(pattern) && pattern[i] == '^' {
		negated = true
		i++
	}
	for ; i < len(pattern) && pattern[i] != ']'; i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			found = found || pattern[i] == ch
		case i+2 < len(pattern) && pattern[i+1] == '-':
			low, high := pattern[i], pattern[i+2]
			found = found || ch >= min(low, high) && ch <= max(low, high)
			i += 2
		default:
			found = found || pattern[i] == ch
		}
	}
	return min(i+1, len(pattern)), found != negated
}
