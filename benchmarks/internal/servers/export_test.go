package servers

var (
	ServeFake    = serveFake
	ServeProxies = serveProxies
	ReadCommand  = readCommand
	Certificate  = certificate
)

const Delay = delay
