package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/metapipe/metapipe/pkg/text"
)

// penOf is the pen for a stream: with colors and a width on a terminal, without them
// anywhere else and where NO_COLOR or TERM=dumb ask for it.
func penOf(w io.Writer, lookup func(string) (string, bool)) text.Pen {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return text.Pen{}
	}
	none, _ := lookup("NO_COLOR")
	kind, _ := lookup("TERM")
	pen := text.Pen{Color: none == "" && kind != "dumb"}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		pen.Width = width
	}
	return pen
}
