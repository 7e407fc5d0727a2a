package realcluster

// LogTail returns the last lines of the server's log.
func (n *Node) LogTail(lines int) string { return n.logTail(lines) }
