package realcluster

import "syscall"

// endWithParent makes the kernel kill the server when the test process dies, even by SIGKILL. The signal is tied to the thread
// that started the server, so a caller must not have locked itself to a thread that ends earlier. In a process group of its
// own the server does not get the Ctrl-C of a terminal: a program under load ends its servers when it is done with them.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
