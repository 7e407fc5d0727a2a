package keyslottest_test

import (
	"fmt"
	"testing"

	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestNodesServeTheirSlotsAndRedirectTheRest(t *testing.T) {
	c := start(t, keyslottest.Options{})
	owner := c.Owner("a") // slot 15495, the last third
	first := connect(t, c.Nodes()[0].Addr)
	first.want(fmt.Sprintf("-MOVED 15495 %s", owner.Addr), "SET a 1")

	at := connect(t, owner.Addr)
	at.want("+OK", "SET a 1")
	at.want("$1\r\n1", "GET a")
	at.want("-CROSSSLOT Keys in request don't hash to the same slot", "MGET a b")
}
