package late

import "syscall"

// endWithParent makes the kernel kill the server when this process dies.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
