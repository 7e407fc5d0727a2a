//go:build unix && !(linux && (amd64 || arm64) && !race && !msan && !asan)

package wire

import "syscall"

// Detectors have to see what a system call reads and writes, and whom it wakes.

func receive(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

func peek(fd uintptr, b []byte) (int, error) {
	n, _, err := syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n, err
}

func transmit(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }

func wakeMonitor() {}
