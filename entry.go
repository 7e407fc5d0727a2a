package keyslot

import (
	"errors"
	"slices"
)

// Entry is one entry of a stream as a Consumer was given it.
type Entry struct {
	Stream string
	ID     string
	Fields []Field // in the order of XADD; a name may occur more than once

	// Deliveries is how often the entry was delivered, this time included, to this consumer or another one: 1 for a new entry.
	// A handler that sees a high number may put the entry aside and return nil.
	Deliveries int64
}

// Field is one field of an Entry.
type Field struct{ Name, Value string }

// Get returns the value of the first field of that name; empty if there is none.
func (e Entry) Get(name string) string {
	for _, f := range e.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// streamEntries are entries of one stream, as a reply has them.
type streamEntries struct {
	stream  string
	entries []Entry
	deleted []string // ids without an entry
	nulls   bool     // there were entries without even an id
	last    string   // the id of the last one, deleted or not
}

var (
	errOddReply   = errors.New("names and values do not pair")
	errStrange    = errors.New("a stream that was not asked for")
	errShortReply = errors.New("elements are missing")
)

// readStreams reads what XREADGROUP answers: pairs of a stream and its entries. RESP2 has an array of pairs, RESP3 a map.
func readStreams(reply Reply, streams []string) ([]streamEntries, error) {
	if reply.IsNil() {
		return nil, nil
	}
	elems, err := reply.Slice()
	if err != nil {
		return nil, err
	}
	var pairs []Reply
	for _, e := range elems {
		if pair, err := e.Slice(); err == nil && len(pairs)%2 == 0 {
			pairs = append(pairs, pair...)
		} else {
			pairs = append(pairs, e)
		}
	}
	if len(pairs)%2 != 0 {
		return nil, errOddReply
	}
	var all []streamEntries
	for pair := range slices.Chunk(pairs, 2) {
		stream, err := pair[0].Text()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(streams, stream) {
			return nil, errStrange
		}
		r, err := readEntries(stream, pair[1])
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// readEntries reads an array of entries: an id and its fields, or a null for those that were deleted.
func readEntries(stream string, reply Reply) (streamEntries, error) {
	r := streamEntries{stream: stream}
	elems, err := reply.Slice()
	if err != nil {
		return r, err
	}
	for _, elem := range elems {
		if elem.IsNil() {
			r.nulls = true
			continue
		}
		pair, err := elem.Slice()
		if err != nil {
			return r, err
		}
		if len(pair) != 2 {
			return r, errShortReply
		}
		if r.last, err = pair[0].Text(); err != nil {
			return r, err
		}
		if pair[1].IsNil() {
			r.deleted = append(r.deleted, r.last)
			continue
		}
		fields, err := readFields(pair[1])
		if err != nil {
			return r, err
		}
		r.entries = append(r.entries, Entry{Stream: stream, ID: r.last, Fields: fields})
	}
	return r, nil
}

func readFields(reply Reply) ([]Field, error) {
	texts, err := reply.Strings()
	if err != nil {
		return nil, err
	}
	if len(texts)%2 != 0 {
		return nil, errOddReply
	}
	fields := make([]Field, 0, len(texts)/2)
	for pair := range slices.Chunk(texts, 2) {
		fields = append(fields, Field{Name: pair[0], Value: pair[1]})
	}
	return fields, nil
}

// readPending reads XPENDING's answer about one entry: whose it is, and how often it was delivered; nobody's if it is not
// pending.
func readPending(reply Reply) (owner string, deliveries int64, err error) {
	rows, err := reply.Slice()
	if err != nil || len(rows) == 0 {
		return "", 0, err
	}
	row, err := rows[0].Slice()
	if err != nil {
		return "", 0, err
	}
	if len(row) < 4 {
		return "", 0, errShortReply
	}
	if owner, err = row[1].Text(); err != nil {
		return "", 0, err
	}
	deliveries, err = row[3].Int64()
	return owner, deliveries, err
}
