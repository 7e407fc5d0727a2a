package keyslottest

// TB is what Run needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Run starts a cluster for a test, which fails where that is not possible, and closes it when the test and its subtests
// have ended. What the test registers with Cleanup later, such as the end of its clients, comes before.
func Run(t TB, opts Options) *Cluster {
	t.Helper()
	c, err := Start(opts)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
