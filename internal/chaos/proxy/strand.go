package proxy

// Strand makes the connections of clients that are present lead nowhere from now on, whatever is set later, and returns
// how many: nothing passes either way, and nothing is closed until the client does, or the Front is closed. New
// connections are as the Fault of the moment has them: a router that forgot what it knew of the old ones.
func (f *Front) Strand() int {
	stranded := 0
	for _, l := range f.present() {
		if l.peer() == Client {
			l.stranded.Store(true)
			stranded++
		}
	}
	return stranded
}
