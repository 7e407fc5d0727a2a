package load

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// countConns returns how many TCP connections this process has, as the kernel counts them, or -1.
func countConns() int {
	ours := map[string]bool{}
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return -1
	}
	for _, fd := range descriptors {
		target, err := os.Readlink(fd)
		if inode, isSocket := strings.CutPrefix(target, "socket:["); err == nil && isSocket {
			ours[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return countIn("/proc/self/net/tcp", ours) + countIn("/proc/self/net/tcp6", ours)
}

// established is the state of a connection that is open at both ends, in a row of /proc/net/tcp:
//
//	sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//	 0: 0100007F:A1B2 0100007F:C3D4 01 00000000:00000000 00:00000000 00000000     0        0 12345 ...
const established = "01"

// countIn counts the established connections of table whose socket is in inodes. A missing table is one of no rows.
func countIn(table string, inodes map[string]bool) int {
	f, err := os.Open(table)
	if err != nil {
		return 0
	}
	defer f.Close()
	n := 0
	for rows := bufio.NewScanner(f); rows.Scan(); {
		if row := strings.Fields(rows.Text()); len(row) > 9 && row[3] == established && inodes[row[9]] {
			n++
		}
	}
	return n
}
