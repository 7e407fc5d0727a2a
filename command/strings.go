package command

import (
	"cmp"
	"context"
)

// GetAppend appends the value of key to dst and returns the extended slice, as append does: where dst has room, nothing
// is allocated. With an error, Nil included, it returns dst as it was and has not written behind it. It never touches
// dst after it has returned. GET: O(1), to the primary of key's slot, or a replica where ReadFrom says so.
func (c Commands) GetAppend(ctx context.Context, dst []byte, key string) ([]byte, error) {
	call := c.begin().get(key)
	defer call.finish()
	if err := call.run(ctx); err != nil {
		return dst, err
	}
	return appendText(call, dst)
}

// Pair is a key and its value, for MSet and its variants.
type Pair struct{ Key, Value string }

func (p Pair) encode(c *Call) {
	c.Request.Key(p.Key)
	c.Request.Arg(p.Value)
}

// PairList is pairs for MSetEx.
type PairList []Pair

func (l PairList) encode(c *Call) {
	c.Request.ArgInt(int64(len(l)))
	for _, p := range l {
		p.encode(c)
	}
}

// CommonRanges is what LCSIdx returns.
type CommonRanges struct {
	Len    int64 // of the longest common subsequence, in bytes
	Ranges []CommonRange
}

// CommonRange is a piece of a common subsequence: where it stands in the two strings, first and last byte.
type CommonRange struct {
	First, Second [2]int64
	Len           int64
}

func commonRanges(c *Call, _ *packer) (CommonRanges, error) {
	return tree(c, func(r Reply) (out CommonRanges, err error) {
		fields, err := r.Map()
		if err != nil {
			return out, err
		}
		if out.Len, err = fields["len"].Int64(); err != nil {
			return out, err
		}
		matches, err := fields["matches"].Slice()
		if err != nil {
			return out, err
		}
		for _, m := range matches {
			match, err := commonRange(m)
			if err != nil {
				return out, err
			}
			out.Ranges = append(out.Ranges, match)
		}
		return out, nil
	})
}

// commonRange reads [[first, last], [first, last], length].
func commonRange(r Reply) (m CommonRange, err error) {
	parts, err := r.Slice()
	if err != nil || len(parts) != 3 {
		return m, cmp.Or(err, r.mismatch("a match"))
	}
	for i, to := range []*[2]int64{&m.First, &m.Second} {
		ends, err := parts[i].Slice()
		if err != nil || len(ends) != 2 {
			return m, cmp.Or(err, r.mismatch("a match"))
		}
		for j := range ends {
			if to[j], err = ends[j].Int64(); err != nil {
				return m, err
			}
		}
	}
	m.Len, err = parts[2].Int64()
	return m, err
}
