package keyslottest_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestFailoverSwapsTheRoles(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1})
	shard := c.Shards()[2] // owns a
	primary, replica := connect(t, shard.Primary.Addr), connect(t, shard.Replicas[0].Addr)
	primary.want("+OK", "SET a x")
	require.Contains(t, primary.do("ROLE"), "master")

	require.NoError(t, c.Failover(shard.Replicas[0].ID))
	primary.want("-MOVED 15495 "+shard.Replicas[0].Addr, "GET a")
	replica.want("$1\r\nx", "GET a")
	require.Contains(t, primary.do("ROLE"), "slave")
	require.Contains(t, replica.do("ROLE"), "master")
	require.Equal(t, shard.Replicas[0].ID, c.Owner("a").ID)
	require.Error(t, c.Failover(shard.Replicas[0].ID), "it is the primary now")
}

func TestAStoppedPrimaryTakesTheClusterDownUntilItsReplicaTakesOver(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1})
	shard := c.Shards()[2]
	other, old := connect(t, c.Shards()[0].Primary.Addr), connect(t, shard.Primary.Addr)
	old.want("+OK", "SET a x")

	require.NoError(t, c.Stop(shard.Primary.ID))
	_, err := old.reply()
	require.Error(t, err, "its connections are closed")
	_, err = net.Dial("tcp", shard.Primary.Addr)
	require.Error(t, err, "nobody listens")
	other.want("-CLUSTERDOWN The cluster is down", "GET b")
	other.want("+PONG", "PING")
	require.Contains(t, other.do("CLUSTER SLOTS"), shard.Primary.ID, "a dead primary stays in the map")
	require.Contains(t, other.do("CLUSTER INFO"), "cluster_state:fail\r\n")

	require.NoError(t, c.Failover(shard.Replicas[0].ID))
	other.want("$-1", "GET b")
	connect(t, shard.Replicas[0].Addr).want("$1\r\nx", "GET a")
	require.NotContains(t, other.do("CLUSTER SLOTS"), shard.Primary.ID, "a dead replica does not")

	require.NoError(t, c.Restart(shard.Primary.ID))
	require.NoError(t, c.Restart(shard.Primary.ID))
	back := connect(t, shard.Primary.Addr)
	back.want("+OK", "READONLY")
	back.want("$1\r\nx", "GET a")
	require.Contains(t, other.do("CLUSTER SLOTS"), shard.Primary.ID)
}

func TestNothingIsPoppedForAClientOfAStoppedNode(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1})
	shard := c.Shards()[2]
	require.NoError(t, connect(t, shard.Primary.Addr).send("BLPOP", "a", "0"))
	waitBlocked(t, shard.Primary.Addr, 1)
	require.NoError(t, c.Stop(shard.Primary.ID))
	require.NoError(t, c.Failover(shard.Replicas[0].ID))
	s := connect(t, shard.Replicas[0].Addr)
	s.want(":1", "RPUSH a x")
	s.want(":1", "LLEN a")
}

func TestPartialCoverageServesWhatIsLeft(t *testing.T) {
	c := start(t, keyslottest.Options{PartialCoverage: true})
	dead := c.Owner("a")
	require.NoError(t, c.Stop(dead.ID))
	s := connect(t, c.Owner("b").Addr)
	s.want("+OK", "SET b x")
	s.want("-MOVED 15495 "+dead.Addr, "GET a")
}

func TestSlotsWithoutAnOwner(t *testing.T) {
	for _, partial := range []bool{false, true} {
		c := start(t, keyslottest.Options{PartialCoverage: partial})
		owner := c.Owner("a")
		s := connect(t, owner.Addr)
		s.want("+OK", "MSET a x {a}1 y")
		require.NoError(t, c.DeleteSlots(15495))
		require.Zero(t, c.Owner("a"))
		s.want("-CLUSTERDOWN Hash slot not served", "GET a")
		if partial {
			s.want("$-1", "GET key:3")
		} else {
			s.want("-CLUSTERDOWN The cluster is down", "GET key:3")
		}
		require.Error(t, c.DeleteSlots(15495), "nobody has it")
		require.Error(t, c.AddSlots(owner.ID, 0), "somebody has it")
		require.NoError(t, c.AddSlots(owner.ID, 15495))
		s.want("$1\r\nx", "GET a")
	}
}

func TestEndpointIsARunningNode(t *testing.T) {
	c := start(t, keyslottest.Options{})
	first := c.Endpoint()
	require.NoError(t, c.Stop(c.Nodes()[0].ID))
	require.Equal(t, c.Nodes()[1].Addr, c.Endpoint())
	require.NoError(t, c.Restart(c.Nodes()[0].ID))
	require.Equal(t, first, c.Endpoint())
}

func TestAReplacedNodeHasANewNameAndTheOldKeys(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1})
	shard := c.Shards()[2]
	old := connect(t, shard.Primary.Addr)
	old.want("+OK", "SET a x")
	fresh, err := c.Replace(shard.Primary.ID)
	require.NoError(t, err)
	require.NotEqual(t, shard.Primary.ID, fresh.ID)
	require.NotEqual(t, shard.Primary.Addr, fresh.Addr)
	require.True(t, fresh.Primary)
	_, err = old.reply()
	require.Error(t, err)
	connect(t, fresh.Addr).want("$1\r\nx", "GET a")
	connect(t, c.Endpoint()).want("-MOVED 15495 "+fresh.Addr, "GET a")
	_, err = c.Replace(shard.Primary.ID)
	require.ErrorContains(t, err, "no node")

	replica, err := c.Replace(shard.Replicas[0].ID)
	require.NoError(t, err)
	require.False(t, replica.Primary)
	require.Equal(t, replica.ID, c.Shards()[2].Replicas[0].ID)
}

func TestEveryProcessHasItsOwnScripts(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1, Replicas: 1})
	n := c.Nodes()
	s := connect(t, n[0].Addr)
	s.want("$40\r\n"+sha1OfReturn5, "SCRIPT LOAD return(5)")
	s.want(":5", "EVALSHA "+sha1OfReturn5+" 0")

	const noScript = "-NOSCRIPT No matching script. Please use EVAL."
	connect(t, n[1].Addr).want(noScript, "EVALSHA "+sha1OfReturn5+" 0")
	require.NoError(t, c.Stop(n[0].ID))
	require.NoError(t, c.Restart(n[0].ID))
	connect(t, n[0].Addr).want(noScript, "EVALSHA "+sha1OfReturn5+" 0")
}

const sha1OfReturn5 = "4177b9f03a279722f8242b11a78885211e494dcd"
