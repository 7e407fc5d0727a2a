package load

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strings"

	"github.com/keyslot-go/keyslot"
)

// Addresses, slots and counts would make every error a kind of its own.
var (
	address = regexp.MustCompile(`(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{2,5}\b`) // never written
	number  = regexp.MustCompile(`\b\d+(\.\d+)?\b`)                       // likewise
)

// mostText is how long the text of an error may be.
const mostText = 100

// textOf returns what kind of error err is. It holds no arguments: clients that quote some in their errors do so in quotes.
func textOf(err error) string {
	outcome := ""
	switch {
	case errors.Is(err, keyslot.ErrUnknownOutcome):
		outcome = "unknown outcome: "
	case errors.Is(err, keyslot.ErrNotExecuted):
		outcome = "not executed: "
	}
	text := outcome + generalized(cause(err))
	if len(text) > mostText {
		text = text[:mostText]
	}
	return strings.ToValidUTF8(text, "")
}

// cause returns the words of what is behind err.
func cause(err error) string {
	var (
		refusal keyslot.ServerError
		network *net.OpError
		failed  *keyslot.Error
	)
	switch {
	case errors.As(err, &refusal):
		return string(refusal)
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline exceeded"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &network):
		return network.Op + ": " + network.Err.Error()
	case errors.As(err, &failed): // also of the first command of a pipeline
		return failed.Err.Error()
	}
	return err.Error()
}

var quoted = regexp.MustCompile(`"[^"]*"|'[^']*'`) // never written

func generalized(text string) string {
	text = quoted.ReplaceAllString(text, "?")
	text = address.ReplaceAllString(text, "node")
	return strings.Join(strings.Fields(number.ReplaceAllString(text, "N")), " ")
}
