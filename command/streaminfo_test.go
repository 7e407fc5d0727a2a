package command_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

// told is a reply of names and values, in RESP2 and RESP3: bulk strings, integers, and in angle brackets what stands as it is.
func told(pairs string) []string {
	var body strings.Builder
	words := strings.Fields(pairs)
	for i, w := range words {
		switch {
		case w[0] == '<':
			body.WriteString(strings.NewReplacer("<", "", ">", "", "/", "\r\n").Replace(w))
		case i%2 == 1 && !strings.Contains(w[1:], "-") && (w[0] == '-' || w[0] >= '0' && w[0] <= '9'):
			fmt.Fprintf(&body, ":%s\r\n", w)
		default:
			fmt.Fprintf(&body, "$%d\r\n%s\r\n", len(w), w)
		}
	}
	resp2 := strings.ReplaceAll(body.String(), null3, null2)
	return in(fmt.Sprintf("*%d\r\n%s", len(words), resp2), fmt.Sprintf("%%%d\r\n%s", len(words)/2, body.String()))
}

// within puts each of frames behind a head, as an element that stands in angle brackets.
func within(head string, frames []string) (out []string) {
	for _, f := range frames {
		out = append(out, "<"+strings.ReplaceAll(head+f, "\r\n", "/")+">")
	}
	return out
}

func TestStreamsAreDescribed(t *testing.T) {
	const numbers = "length 2 radix-tree-keys 1 radix-tree-nodes 3 last-generated-id 20-0 max-deleted-entry-id 7-0 entries-added 30 recorded-first-entry-id 1-1 "
	state := command.StreamState{2, 1, 3, "20-0", "7-0", 30, "1-1"}
	at := time.UnixMilli(1795257730266)
	consumers := within("*1\r\n", told("name c3 seen-time 1795257730266 active-time -1 pel-count 2 pending <*1/*3/$3/3-0/:1795257730266/:4/> new-in-9 1"))
	var full []string
	for i, c := range consumers {
		groups := within("*1\r\n", told("name gr last-delivered-id 7-0 entries-read 7 lag <_/> pel-count 2 pending <*1/*4/$3/3-0/$2/c3/:1795257730266/:4/> consumers "+c))
		full = append(full, told(numbers + "entries <*1/" + strings.ReplaceAll(entry11, "\r\n", "/") + "> groups " + groups[i])[i])
	}
	owed := []command.Delivery{{"3-0", "c3", at, 4}}
	checkExchanges(t, []exchange{
		{"XINFO STREAM s", func(c command.Commands) (any, error) { return c.XInfoStream(ctx, "s") },
			command.StreamInfo{StreamState: state, Groups: 1, First: command.Optional[command.StreamEntry]{Value: first, OK: true}},
			told(numbers + "groups 1 first-entry <" + strings.ReplaceAll(entry11, "\r\n", "/") + "> last-entry <_/>")},
		{"XINFO STREAM s FULL COUNT 1", func(c command.Commands) (any, error) { return c.XInfoStreamFull(ctx, "s", command.Count(1)) },
			command.StreamFullInfo{StreamState: state, Entries: []command.StreamEntry{first}, Groups: []command.GroupFullInfo{{
				Name: "gr", LastID: "7-0", EntriesRead: command.Optional[int64]{Value: 7, OK: true}, PendingCount: 2, Pending: owed,
				Consumers: []command.ConsumerFullInfo{{Name: "c3", Seen: at, PendingCount: 2, Pending: owed}},
			}}}, full},
	})
}

func TestGroupsAndConsumersAreDescribed(t *testing.T) {
	list := func(pairs string) (out []string) {
		for _, f := range told(pairs) {
			out = append(out, "*1\r\n"+f)
		}
		return out
	}
	checkExchanges(t, []exchange{
		{"XINFO GROUPS s", func(c command.Commands) (any, error) { return c.XInfoGroups(ctx, "s") },
			[]command.GroupInfo{{Name: "gr", Consumers: 4, Pending: 2, LastID: "7-0", Lag: command.Optional[int64]{Value: 3, OK: true}}},
			list("name gr consumers 4 pending 2 last-delivered-id 7-0 entries-read <_/> lag 3")},
		{"XINFO CONSUMERS s g", func(c command.Commands) (any, error) { return c.XInfoConsumers(ctx, "s", "g") },
			[]command.ConsumerInfo{{Name: "c1", Pending: 1, Idle: 2 * time.Second, Inactive: command.Optional[time.Duration]{Value: 3 * time.Second, OK: true}}},
			list("name c1 pending 1 idle 2000 inactive 3000")},
		{"XINFO CONSUMERS s old", func(c command.Commands) (any, error) { return c.XInfoConsumers(ctx, "s", "old") },
			[]command.ConsumerInfo{{Name: "c1", Pending: 1, Idle: 2 * time.Second}}, list("name c1 pending 1 idle 2000 inactive -1")},
	})
}
