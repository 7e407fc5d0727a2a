package output

import "fmt"

// Micros writes microseconds as people read them; "-" is none.
func Micros(us float64) string {
	switch {
	case us == 0:
		return "-"
	case us < 1e3:
		return fmt.Sprintf("%.0fus", us)
	case us < 1e6:
		return fmt.Sprintf("%.2fms", us/1e3)
	}
	return fmt.Sprintf("%.2fs", us/1e6)
}

// Grouped writes a number as 1,234,567.
func Grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
