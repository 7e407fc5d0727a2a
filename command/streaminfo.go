package command

import (
	"cmp"
	"time"
)

// StreamState is what XInfoStream and XInfoStreamFull both tell of a stream. What a server does not tell is zero.
type StreamState struct {
	Length                        int64 // entries
	RadixTreeKeys, RadixTreeNodes int64 // of the server's own structure
	LastID                        string
	MaxDeletedID                  string // "0-0" when nothing was deleted; since Redis 7.0
	EntriesAdded                  int64  // ever; since Redis 7.0
	RecordedFirstID               string // since Redis 7.0
}

// StreamInfo is what XInfoStream returns.
type StreamInfo struct {
	StreamState
	Groups      int64
	First, Last Optional[StreamEntry]
}

// StreamFullInfo is what XInfoStreamFull returns.
type StreamFullInfo struct {
	StreamState
	Entries []StreamEntry // the first ones
	Groups  []GroupFullInfo
}

// GroupInfo is what XInfoGroups tells of a group.
type GroupInfo struct {
	Name        string
	Consumers   int64
	Pending     int64 // entries delivered and not acknowledged
	LastID      string
	EntriesRead Optional[int64] // that stand before LastID; not OK where the server cannot tell, or before Redis 7.0
	Lag         Optional[int64] // entries not delivered yet; not OK as EntriesRead
}

// GroupFullInfo is what XInfoStreamFull tells of a group.
type GroupFullInfo struct {
	Name             string
	LastID           string
	EntriesRead, Lag Optional[int64] // as in GroupInfo
	PendingCount     int64
	Pending          []Delivery // the first ones
	Consumers        []ConsumerFullInfo
}

// ConsumerInfo is what XInfoConsumers tells of a consumer.
type ConsumerInfo struct {
	Name     string
	Pending  int64                   // entries delivered and not acknowledged
	Idle     time.Duration           // since it last asked for entries, in milliseconds
	Inactive Optional[time.Duration] // since it was last given some; not OK where it never was, or before Redis 7.2
}

// ConsumerFullInfo is what XInfoStreamFull tells of a consumer.
type ConsumerFullInfo struct {
	Name         string
	Seen         time.Time // when it last asked for entries
	Active       time.Time // when it was last given some; zero where it never was, or before Redis 7.2
	PendingCount int64
	Pending      []Delivery // the first ones
}

// Delivery is an entry that was delivered and is not acknowledged.
type Delivery struct {
	ID, Consumer string
	At           time.Time
	Deliveries   int64
}

// report is what a server tells by names. What is missing or null is zero; the first thing of a wrong type is the error.
type report struct {
	fields map[string]Reply
	err    error
}

func reportOf(r Reply) (report, error) {
	fields, err := r.Map()
	return report{fields: fields}, err
}

// told reads the value called name, unless there is none.
func told[T any](r *report, name string, read func(Reply) (T, error)) (value Optional[T]) {
	field := r.fields[name]
	if field.IsNil() {
		return value
	}
	v, err := read(field)
	r.err = cmp.Or(r.err, err)
	return Optional[T]{v, true}
}

func (r *report) text(name string) string { return told(r, name, Reply.Text).Value }

func (r *report) integer(name string) int64 { return told(r, name, Reply.Int64).Value }

// millis reads a duration; -1 is none.
func (r *report) millis(name string) (d Optional[time.Duration]) {
	if ms := told(r, name, Reply.Int64); ms.OK && ms.Value >= 0 {
		d = Optional[time.Duration]{time.Duration(ms.Value) * time.Millisecond, true}
	}
	return d
}

// moment reads a time; -1 is none.
func (r *report) moment(name string) (t time.Time) {
	if ms := told(r, name, Reply.Int64); ms.OK && ms.Value >= 0 {
		t = time.UnixMilli(ms.Value)
	}
	return t
}

func reports[T any](r *report, name string, read func(Reply) (T, error)) []T {
	return told(r, name, func(list Reply) ([]T, error) { return each(list, read) }).Value
}

func (r *report) state() StreamState {
	return StreamState{
		Length: r.integer("length"), RadixTreeKeys: r.integer("radix-tree-keys"), RadixTreeNodes: r.integer("radix-tree-nodes"),
		LastID: r.text("last-generated-id"), MaxDeletedID: r.text("max-deleted-entry-id"),
		EntriesAdded: r.integer("entries-added"), RecordedFirstID: r.text("recorded-first-entry-id"),
	}
}

func streamInfo(c *Call, _ *packer) (StreamInfo, error) {
	return tree(c, func(whole Reply) (StreamInfo, error) {
		r, err := reportOf(whole)
		if err != nil {
			return StreamInfo{}, err
		}
		info := StreamInfo{
			StreamState: r.state(), Groups: r.integer("groups"),
			First: told(&r, "first-entry", entryIn), Last: told(&r, "last-entry", entryIn),
		}
		return info, r.err
	})
}

func streamFullInfo(c *Call, _ *packer) (StreamFullInfo, error) {
	return tree(c, func(whole Reply) (StreamFullInfo, error) {
		r, err := reportOf(whole)
		if err != nil {
			return StreamFullInfo{}, err
		}
		info := StreamFullInfo{
			StreamState: r.state(), Entries: reports(&r, "entries", entryIn), Groups: reports(&r, "groups", groupFullInfo),
		}
		return info, r.err
	})
}

// entryIn reads [id, [name, value ...]].
func entryIn(whole Reply) (e StreamEntry, err error) {
	parts, err := whole.Slice()
	if err != nil || len(parts) < 2 {
		return e, cmp.Or(err, whole.mismatch("an entry"))
	}
	if e.ID, err = parts[0].Text(); err != nil {
		return e, err
	}
	words, err := parts[1].Strings()
	if err != nil || len(words)%2 != 0 {
		return e, cmp.Or(err, whole.mismatch("an entry"))
	}
	for i := 0; i < len(words); i += 2 {
		e.Fields = append(e.Fields, Field{words[i], words[i+1]})
	}
	return e, nil
}

func groupFullInfo(whole Reply) (GroupFullInfo, error) {
	r, err := reportOf(whole)
	if err != nil {
		return GroupFullInfo{}, err
	}
	info := GroupFullInfo{
		Name: r.text("name"), LastID: r.text("last-delivered-id"),
		EntriesRead: told(&r, "entries-read", Reply.Int64), Lag: told(&r, "lag", Reply.Int64),
		PendingCount: r.integer("pel-count"), Pending: reports(&r, "pending", delivery),
		Consumers: reports(&r, "consumers", consumerFullInfo),
	}
	return info, r.err
}

func consumerFullInfo(whole Reply) (ConsumerFullInfo, error) {
	r, err := reportOf(whole)
	if err != nil {
		return ConsumerFullInfo{}, err
	}
	info := ConsumerFullInfo{
		Name: r.text("name"), Seen: r.moment("seen-time"), Active: r.moment("active-time"),
		PendingCount: r.integer("pel-count"), Pending: reports(&r, "pending", delivery),
	}
	for i := range info.Pending {
		info.Pending[i].Consumer = info.Name
	}
	return info, r.err
}

// delivery reads [id, consumer, milliseconds, deliveries], of which a consumer's own list lacks the consumer.
func delivery(whole Reply) (d Delivery, err error) {
	parts, err := whole.Slice()
	if err != nil || len(parts) < 3 {
		return d, cmp.Or(err, whole.mismatch("a delivery"))
	}
	if d.ID, err = parts[0].Text(); err != nil {
		return d, err
	}
	if len(parts) > 3 {
		if d.Consumer, err = parts[1].Text(); err != nil {
			return d, err
		}
		parts = parts[1:]
	}
	at, err := parts[1].Int64()
	if err != nil {
		return d, err
	}
	d.At = time.UnixMilli(at)
	d.Deliveries, err = parts[2].Int64()
	return d, err
}

func groupInfos(c *Call, _ *packer) ([]GroupInfo, error) {
	return tree(c, func(r Reply) ([]GroupInfo, error) { return each(r, groupInfo) })
}

func groupInfo(whole Reply) (GroupInfo, error) {
	r, err := reportOf(whole)
	if err != nil {
		return GroupInfo{}, err
	}
	info := GroupInfo{
		Name: r.text("name"), Consumers: r.integer("consumers"), Pending: r.integer("pending"), LastID: r.text("last-delivered-id"),
		EntriesRead: told(&r, "entries-read", Reply.Int64), Lag: told(&r, "lag", Reply.Int64),
	}
	return info, r.err
}

func consumerInfos(c *Call, _ *packer) ([]ConsumerInfo, error) {
	return tree(c, func(r Reply) ([]ConsumerInfo, error) { return each(r, consumerInfo) })
}

func consumerInfo(whole Reply) (ConsumerInfo, error) {
	r, err := reportOf(whole)
	if err != nil {
		return ConsumerInfo{}, err
	}
	info := ConsumerInfo{
		Name: r.text("name"), Pending: r.integer("pending"), Idle: r.millis("idle").Value, Inactive: r.millis("inactive"),
	}
	return info, r.err
}
