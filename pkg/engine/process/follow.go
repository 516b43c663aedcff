package process

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// Follow reads a file that another process appends to, line by line, until
// ended is closed and the rest is read.
func Follow(path string, ended <-chan struct{}, line func([]byte)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	splitter := Lines{Line: line}
	buffer := make([]byte, 64<<10)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for last := false; ; {
		n, err := file.Read(buffer)
		splitter.Add(buffer[:n])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n > 0 {
			continue
		}
		if last {
			splitter.End()
			return nil
		}
		select {
		case <-ended:
			last = true
		case <-tick.C:
		}
	}
}

// maxLine bounds one line of the tool; a longer one is dropped.
const maxLine = 16 << 20

// Lines splits what comes in pieces into lines.
type Lines struct {
	Line func([]byte) // without its end; it does not keep the bytes
	rest []byte
	skip bool
}

// Add takes the next piece.
func (l *Lines) Add(chunk []byte) {
	for {
		i := bytes.IndexByte(chunk, '\n')
		if i < 0 {
			break
		}
		if !l.skip {
			l.rest = append(l.rest, chunk[:i]...)
			l.Line(l.rest)
		}
		l.rest, l.skip = l.rest[:0], false
		chunk = chunk[i+1:]
	}
	if l.skip = l.skip || len(l.rest)+len(chunk) > maxLine; l.skip {
		l.rest = l.rest[:0]
		return
	}
	l.rest = append(l.rest, chunk...)
}

// End takes what is left as the last line.
func (l *Lines) End() {
	if len(l.rest) > 0 && !l.skip {
		l.Line(l.rest)
	}
}
