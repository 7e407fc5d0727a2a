package main

// mutant is keyslot with one fault put in on purpose.
type mutant struct {
	name string
	file string // below the repository's root
	old  string // occurs in it exactly once
	new  string

	only   string   // the nemeses that bring the fault to light
	breaks []string // the checks of which one at least must find it
}

// mutants are the faults that the run has to find. Where keyslot changes under one of them, its old text is no longer
// there once, and the selftest says so.
var mutants = []mutant{
	{
		name: "resends a write of unknown outcome", file: "redirect.go",
		old:    "	if a.sent && !a.repeatable {\n		v.action = finish\n	}\n",
		new:    "",
		only:   "rst,fin",
		breaks: []string{"duplicate", "sequence"},
	},
	{
		name: "gives the reply of a cancelled command to the next one", file: "internal/wire/conn.go",
		old: "	if c.err != nil || call.end <= c.offered {\n		call.Abandoned = true\n",
		new: "	if c.err != nil || call.end <= c.offered {\n		call.Abandoned = true\n" +
			"		for i := range c.queue.len() {\n			if c.queue.at(i) == call {\n				c.queue.remove(i)\n				break\n			}\n		}\n",
		only:   "cancel-storm",
		breaks: []string{"echo", "answer", "sequence"},
	},
	{
		name: "follows a redirect that a script has made up", file: "redirect.go",
		old:    "	case !ok, int(to.slot) != a.slot:\n		return tellUnknown\n",
		new:    "	case !ok:\n		return tellUnknown\n",
		only:   "cancel-storm,failover",
		breaks: []string{"worker", "echo"},
	},
	{
		name: "tells a command that was sent as not executed", file: "call.go",
		old:    "	return v.executed\n}",
		new:    "	if v.executed == Unknown {\n		return NotExecuted\n	}\n	return v.executed\n}",
		only:   "rst,stall",
		breaks: []string{"unsound", "sequence"},
	},
	{
		name: "writes a command after telling its caller that it never runs", file: "internal/wire/conn.go",
		old:    "		c.fill = append(c.fill[:start], c.fill[start+call.size:]...)\n		c.appended -= int64(call.size)\n		c.queue.remove(i)\n",
		new:    "		_ = start\n		call.Abandoned = true\n",
		only:   "stall,cancel-storm,trickle",
		breaks: []string{"unsound", "sequence"},
	},
	{
		name: "dials a node that refuses without a pause", file: "backoff.go",
		old:    "	return p.source.NextBackOff()\n",
		new:    "	return p.source.NextBackOff() / 1000\n",
		only:   "refuse,max-clients",
		breaks: []string{"bounded"},
	},
	{
		name: "gives up after the first dial that fails", file: "redirect.go",
		old:    "		v.pause = clusterWait\n",
		new:    "		v.action = finish\n",
		only:   "refuse,silent",
		breaks: []string{"impatient"},
	},
	{
		name: "does not read again what a lost connection left unanswered", file: "redirect.go",
		old:    "	if a.sent && !a.repeatable {\n",
		new:    "	if a.sent {\n",
		only:   "rst,fin",
		breaks: []string{"impatient"},
	},
	{
		name: "keeps its caller for two seconds after the context has ended", file: "internal/wire/call.go",
		old:    "	given := 0\n",
		new:    "	<-time.After(2 * time.Second)\n	given := 0\n",
		only:   "cancel-storm",
		breaks: []string{"overdue"},
	},
	{
		name: "fails rather than pause where its caller has set a deadline", file: "client.go",
		old:    "	if wait := time.Until(due); wait > 0 {\n",
		new:    "	if wait := time.Until(due); wait > 0 {\n		if _, bound := ctx.Deadline(); bound {\n			return false, context.DeadlineExceeded\n		}\n",
		only:   "reshard",
		breaks: []string{"seamless"},
	},
}
