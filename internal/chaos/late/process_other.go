//go:build !linux

package late

import "syscall"

// endWithParent is not needed where nothing is started.
func endWithParent() *syscall.SysProcAttr { return nil }
