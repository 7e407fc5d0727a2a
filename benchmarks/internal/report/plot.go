package report

// HTML is written below.
func (r Report) HTML() []byte { return nil }
