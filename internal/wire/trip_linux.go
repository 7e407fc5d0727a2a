//go:build linux && (amd64 || arm64)

package wire

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// tcpi_min_rtt of struct tcp_info in linux/tcp.h, since Linux 4.6: the shortest round trip of the last minutes,
// in microseconds.
const minTripAt, minTripEnd = 148, 152

// shortestTrip returns what the system has measured, 0 if it does not tell.
func shortestTrip(tcp *net.TCPConn) (trip time.Duration) {
	sys, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	_ = sys.Control(func(fd uintptr) {
		var info [minTripEnd]byte
		size := uint32(len(info))
		_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 && size == minTripEnd {
			trip = time.Duration(binary.NativeEndian.Uint32(info[minTripAt:])) * time.Microsecond
		}
	})
	return trip
}
