// Package live shows a run while it lasts: a picture repainted in place on a terminal, lines elsewhere.
package live

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/keyslot-go/keyslot/examples/bench/internal/load"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// State is what there is to see.
type State struct {
	Title     string
	WarmUp    time.Duration
	Duration  time.Duration
	Measuring bool
	Live      load.Live
	Last      record.Window // the last one that is over
	Owners    record.Ownership
	Events    []record.Event // the last ones; not changed any more
}

// View shows states. Safe for concurrent use.
type View struct {
	out  io.Writer
	size func() (width, height int) // nil: no terminal, or none that can be repainted

	mu      sync.Mutex
	painted int   // lines of the picture that is on the screen; guarded by mu
	state   State // the last one; guarded by mu
}

// New returns a view on out, which is a picture if out is a terminal that takes ANSI sequences and colours are welcome
// (no-color.org).
func New(out io.Writer) *View {
	v := &View{out: out}
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return v
	}
	v.size = func() (width, height int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
	return v
}

// Say prints a line, above the picture.
func (v *View) Say(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.painted == 0 {
		fmt.Fprintln(v.out, text)
		return
	}
	above := v.erased() + text + "\n"
	fmt.Fprint(v.out, above+v.painting())
}

// Show repaints the picture.
func (v *View) Show(s State) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = s
	if v.size != nil {
		fmt.Fprint(v.out, v.painting())
	}
}

// Window prints a line about a window, where there is no picture.
func (v *View) Window(s State, w record.Window) {
	if v.size == nil {
		v.Say(windowLine(s, w))
	}
}

// Event prints a line about an event, where there is no picture.
func (v *View) Event(_ State, e record.Event) {
	if v.size == nil {
		v.Say(eventLine(e))
	}
}

// Done ends the picture of a run.
func (v *View) Done(s State) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintf(v.out, "%s%s: done\n", v.erased(), s.Title)
}

// Close leaves the terminal as it was.
func (v *View) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprint(v.out, v.erased())
}

// The sequences of ECMA-48 that are used; ShowCursor undoes what an end in between leaves behind.
const (
	up         = "\x1b[%dA\r"
	eraseRight = "\x1b[K"
	eraseBelow = "\x1b[J"
	hideCursor = "\x1b[?25l"
	ShowCursor = "\x1b[?25h"
)

// erased returns what takes the picture off the screen. mu is held.
func (v *View) erased() string {
	if v.painted == 0 {
		return ""
	}
	back := fmt.Sprintf(up, v.painted)
	v.painted = 0
	return back + eraseBelow + ShowCursor
}

// painting returns what draws the picture over the one that is there, in one piece so that nothing flickers. No line is
// longer than the terminal is wide. mu is held.
func (v *View) painting() string {
	width, height := v.size()
	lines := picture(v.state, width)
	lines = lines[:min(len(lines), max(1, height-1))]
	var b strings.Builder
	if v.painted > 0 {
		fmt.Fprintf(&b, up, v.painted)
	}
	b.WriteString(hideCursor)
	for _, line := range lines {
		b.WriteString(line + eraseRight + "\n")
	}
	b.WriteString(eraseBelow)
	v.painted = len(lines)
	return b.String()
}
