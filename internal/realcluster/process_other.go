//go:build !linux

package realcluster

import "syscall"

// endWithParent has no equivalent here: servers are ended by the test's cleanup alone.
func endWithParent() *syscall.SysProcAttr { return nil }
