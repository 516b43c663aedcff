package text

import (
	"strings"
	"unicode/utf8"
)

// The SGR codes of the few styles in use.
const (
	Bold   = "1"
	Faint  = "2"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Blue   = "34"
	Purple = "35"
)

// Pen writes for one terminal. The zero value is for a file: no colors, no width.
type Pen struct {
	Color bool
	Width int // columns; 0: unknown
}

// Paint returns text in a style, or as it is where there are no colors.
func (p Pen) Paint(style, text string) string {
	if !p.Color || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// maxColumns is how wide running text gets.
const maxColumns = 100

// Columns is the width for running text, 100 at most.
func (p Pen) Columns() int {
	if p.Width <= 0 || p.Width > maxColumns {
		return maxColumns
	}
	return p.Width
}

// Wrap breaks text between words into lines of n columns; longer words stand alone.
func Wrap(text string, n int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
