package keyslot

import (
	"reflect"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// SlotOfBytes is slotOf for the external tests.
func SlotOfBytes(key []byte) uint16 { return slotOf(key) }

// Joined joins the replies of several nodes by a response policy.
func Joined(policy spec.ResponsePolicy, replies ...string) (string, error) {
	s := new(split)
	for _, reply := range replies {
		s.parts = append(s.parts, part{call: &call{}})
		s.parts[len(s.parts)-1].Frame = []byte(reply)
	}
	frame, err := s.joined(nil, policy)
	return string(frame), err
}

// IsCalm reports whether what calls without trouble share is empty.
func IsCalm(c *Client) bool { return reflect.DeepEqual(c.core.calm, trouble{}) }
