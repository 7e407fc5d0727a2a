package keyslottest

// kind is the type of key as a server names it: to miniredis a HyperLogLog is none of the strings.
func (s *store) kind(key string) string {
	kind := s.ask("TYPE", key).Str
	if kind == "hll" {
		return "string"
	}
	return kind
}

func typeOf(s *store, out *replies, r request) bool {
	out.simple(s.kind(r.args[1]))
	return true
}

// count answers PFCOUNT of several keys with what is in any of them; miniredis adds up what is in each.
func count(s *store, out *replies, r request) bool {
	if s.refuseOtherTypes(out, r.args[1:]) {
		return true
	}
	if len(r.args) == 2 {
		return false
	}
	union := "union"
	for s.ask("EXISTS", union).Int > 0 {
		union += "'"
	}
	s.ask(append([]string{"PFMERGE", union}, r.args[1:]...)...)
	s.do(out, "PFCOUNT", union)
	s.ask("DEL", union)
	return true
}

// addElements makes an empty HyperLogLog where there is nothing to add.
func addElements(s *store, out *replies, r request) bool {
	if s.refuseOtherTypes(out, r.args[1:2]) {
		return true
	}
	if len(r.args) > 2 {
		return false
	}
	made := 1 - s.ask("EXISTS", r.args[1]).Int
	if made == 1 {
		s.ask("PFMERGE", r.args[1])
	}
	out.int(made)
	return true
}

func merge(s *store, out *replies, r request) bool { return s.refuseOtherTypes(out, r.args[1:]) }

// refuseOtherTypes tells a string from other types that are no HyperLogLog, either.
func (s *store) refuseOtherTypes(out *replies, keys []string) bool {
	for _, key := range keys {
		switch s.ask("TYPE", key).Str {
		case "none", "hll":
			continue
		case "string":
			out.error("WRONGTYPE Key is not a valid HyperLogLog string value.")
		default:
			out.error(errWrongType)
		}
		return true
	}
	return false
}
