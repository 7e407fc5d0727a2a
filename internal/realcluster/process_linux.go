package realcluster

import "syscall"

// endWithParent makes the kernel kill the server when the test process dies, even by SIGKILL. The signal is tied to the
// thread that started the server, so a caller must not have locked itself to a thread that ends earlier.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
