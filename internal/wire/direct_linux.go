//go:build linux && (amd64 || arm64) && !race && !msan && !asan

package wire

import (
	"syscall"
	"unsafe"
)

// The runtime takes the processor from a goroutine that has been in a system call for 20 us (runtime.sysmon), so that
// another one can use it meanwhile. A call that does not wait may take that long too: a write to loopback runs the
// receiver's side, and on a busy host the thread may lose its turn in it. Nothing is gained then, and the goroutine has
// to queue for a processor again, behind whoever got it. So these calls are not made known to the runtime.
// MSG_DONTWAIT, because a blocking one could hold a processor for ever: the flag of the socket is not ours alone.

// receive is read(2) of what has arrived. A long one is made known: it takes its time, and the collector may wait for nobody.
func receive(fd uintptr, b []byte) (int, error) {
	const long = 64 << 10
	if len(b) > long {
		return syscall.Read(int(fd), b)
	}
	return direct(syscall.SYS_RECVFROM, fd, b, syscall.MSG_DONTWAIT)
}

// peek is receive that leaves what has arrived where it is.
func peek(fd uintptr, b []byte) (int, error) {
	return direct(syscall.SYS_RECVFROM, fd, b, syscall.MSG_DONTWAIT|syscall.MSG_PEEK)
}

// transmit is write(2) of what there is room for. A long one is not made known either: to hand the processor to others and
// come back took a tenth more CPU for SET of 64 KiB (set64k/c=64 of benchmarks/), though a lone caller had its reply sooner.
func transmit(fd uintptr, b []byte) (int, error) {
	return direct(syscall.SYS_SENDTO, fd, b[:min(len(b), writePiece)], syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

// wakeMonitor makes a system call that the runtime is told of, which wakes its monitor. That sleeps, until the next
// timer or for a minute, once all processors were idle; meanwhile nobody takes a processor from a goroutine that
// computes, or looks at sockets where all processors are taken. The others of these calls would leave it asleep. A
// connection that is in use has a timer of its own.
func wakeMonitor() { _, _, _ = syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) }

func direct(call, fd uintptr, b []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
