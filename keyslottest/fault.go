package keyslottest

func (cn *conn) faultyStep(args []string) bool { return cn.answer(args) }

type activeFault struct{}
