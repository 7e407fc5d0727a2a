package command

import "context"

// Ping returns nil when a node of the cluster answered PING. It is sent to one primary, any of them.
func (c Commands) Ping(ctx context.Context) error {
	call := c.core.Begin()
	call.Request.Arg("PING")
	return call.none(ctx)
}
