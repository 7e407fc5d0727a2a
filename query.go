package keyslot

import (
	"context"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// query asks several things in one write, each two words at most, and returns the replies; an error reply is one of them.
func query(ctx context.Context, conn *wire.Conn, questions ...string) ([]resp.Value, error) {
	var w wire.Waiter
	calls := make([]*wire.Call, len(questions))
	for i, q := range questions {
		words := strings.Fields(q)
		calls[i] = &wire.Call{Request: resp.AppendArray(nil, len(words))}
		for _, word := range words {
			calls[i].Request = resp.AppendBulk(calls[i].Request, word)
		}
	}
	w.Expect(len(calls))
	if err := conn.Send(ctx, &w, calls); err != nil {
		return nil, err
	}
	w.Wait(ctx, calls)
	replies := make([]resp.Value, len(calls))
	for i, call := range calls {
		if call.Err != nil {
			return nil, call.Err
		}
		var err error
		if replies[i], err = resp.Decode(call.Reply); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// short cuts what a server says for an error message.
func short(s string) string { return s[:min(len(s), maxNameLen)] }

// isHidden reports whether an error reply means that an ACL or a service keeps a command from clients.
func isHidden(reply string) bool {
	return strings.HasPrefix(reply, "NOPERM ") || strings.HasPrefix(reply, "ERR unknown command")
}

// infoField returns what a reply to INFO says under name.
func infoField(reply resp.Value, name string) (value string, ok bool) {
	text, _ := textOf(reply)
	for line := range strings.Lines(text) {
		if found, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); found == name {
			return strings.Clone(value[:min(len(value), maxNameLen)]), true
		}
	}
	return "", false
}
