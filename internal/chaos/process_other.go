//go:build !linux

package main

import (
	"syscall"
	"time"
)

// endWithParent has no equivalent here: the worker ends with its standard input.
func endWithParent() *syscall.SysProcAttr { return nil }

// prefer does nothing here.
func prefer(int) {}

// waited is not known here.
func waited(int) time.Duration { return 0 }
