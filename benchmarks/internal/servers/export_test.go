package servers

var (
	ServeFake    = serveFake
	ServeProxies = serveProxies
	ReadCommand  = readCommand
	AskVersion   = askVersion
)

const Delay = delay
