package spec

// HasKeys reports whether the row has key specs.
func HasKeys(c *Command) bool { return len(c.keys) > 0 }
