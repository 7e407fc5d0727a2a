//go:build !linux

package main

import "syscall"

// endWithParent has no equivalent here: the worker ends with its standard input.
func endWithParent() *syscall.SysProcAttr { return nil }

// prefer does nothing here.
func prefer(int) {}
