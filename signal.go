package keyslot

// isOver reports whether a channel is closed on which nothing is ever sent.
func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// signal has whoever receives from c, which has one slot, look again. It never blocks.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
