package command

import "context"

// Ping returns nil when a node of the cluster answered PING. It is sent to one primary, any of them.
func (c Commands) Ping(ctx context.Context) error { return only(run(ctx, c.begin().ping(), nothing)) }

// Ping queues PING.
func (q *Queued) Ping() *Future[struct{}] { return queue(q, q.begin().ping(), nothing) }

func (c *Call) ping() *Call {
	c.Request.Arg("PING")
	return c
}
