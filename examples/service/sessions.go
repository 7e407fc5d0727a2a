package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

// sessions keeps who is logged in. A session is two keys, which expire when nobody has used it for a while: the record,
// which never changes, and what the application keeps with it, which is replaced as a whole, without being read first.
//
// Both are touched in one transaction, so that neither outlives the other. That takes one slot, and so a hash tag.
type sessions struct {
	client *keyslot.Client
	ttl    time.Duration // whole seconds
}

type session struct {
	User    string    `json:"user"`
	Created time.Time `json:"created"`
}

// newSessions keeps sessions until they have been idle for ttl.
func newSessions(client *keyslot.Client, ttl time.Duration) *sessions {
	// To run any of these transactions twice does no harm, so a broken connection is no failure.
	return &sessions{client: client.Idempotent(), ttl: ttl}
}

// Create returns the token of a new session. Whoever has the token has the session.
func (s *sessions) Create(ctx context.Context, user string) (token string, err error) {
	record, err := json.Marshal(session{User: user, Created: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	token = rand.Text() // of crypto/rand: 128 bits and more, which nobody guesses
	recordKey, dataKey := sessionKeys(token)
	tx := s.client.Tx()
	tx.Set(recordKey, string(record), command.EX(s.ttl))
	tx.Set(dataKey, "{}", command.EX(s.ttl))
	return token, tx.Exec(ctx)
}

// Read returns a session and its data, and lets it live for another ttl: GETEX is GET and EXPIRE in one. The error is
// keyslot.Nil if there is no such session, or no longer.
func (s *sessions) Read(ctx context.Context, token string) (found session, data json.RawMessage, err error) {
	recordKey, dataKey := sessionKeys(token)
	tx := s.client.Tx()
	record := tx.GetEx(recordKey, command.EX(s.ttl))
	kept := tx.GetEx(dataKey, command.EX(s.ttl))
	if err := tx.Exec(ctx); err != nil {
		return session{}, nil, err
	}
	text, err := record.Get()
	if err != nil {
		return session{}, nil, err
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return session{}, nil, err
	}
	text, err = kept.Get()
	return found, json.RawMessage(text), err
}

// Save replaces a session's data and extends it. SET with XX sees to it that a session which has just expired does not
// come back to life. The error is keyslot.Nil if there is no such session.
func (s *sessions) Save(ctx context.Context, token string, data json.RawMessage) error {
	recordKey, dataKey := sessionKeys(token)
	tx := s.client.Tx()
	tx.Expire(recordKey, s.ttl)
	saved := tx.SetXX(dataKey, string(data), command.EX(s.ttl))
	if err := tx.Exec(ctx); err != nil {
		return err
	}
	return nilUnless(saved.Get())
}

// Extend lets a session live for another ttl. The error is keyslot.Nil if there is no such session.
func (s *sessions) Extend(ctx context.Context, token string) error {
	recordKey, dataKey := sessionKeys(token)
	tx := s.client.Tx()
	extended := tx.Expire(recordKey, s.ttl)
	tx.Expire(dataKey, s.ttl)
	if err := tx.Exec(ctx); err != nil {
		return err
	}
	return nilUnless(extended.Get())
}

// Delete ends a session; to end none is no error. DEL of keys in one slot is all or none, and needs no transaction.
func (s *sessions) Delete(ctx context.Context, token string) error {
	recordKey, dataKey := sessionKeys(token)
	_, err := s.client.Del(ctx, recordKey, dataKey)
	return err
}

// nilUnless makes keyslot.Nil of the answer that nothing was there.
func nilUnless(there bool, err error) error {
	if err == nil && !there {
		return keyslot.Nil
	}
	return err
}

// sessionKeys are named by a digest of the token. So whoever may read the store's keys cannot use the sessions, and
// whatever is sent as a token makes a key of one form.
func sessionKeys(token string) (record, data string) {
	sum := sha256.Sum256([]byte(token))
	tag := "session:{" + hex.EncodeToString(sum[:16]) + "}"
	return tag + ":record", tag + ":data"
}
