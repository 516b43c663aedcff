package workflow

import (
	"bytes"
	"io/fs"
	"path"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Edited are the workflows of a checkout that differ from the shipped ones, each with its first other line. What the
// file of the chain says between its marks does not count. root is the top of the manager's checkout, and shipped the
// directory of the shipped workflows.
func Edited(root, shipped fs.FS) (edited []pipeline.Position) {
	entries, err := fs.ReadDir(shipped, ".")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		at := path.Join(Dir, e.Name())
		is, err := fs.ReadFile(root, at)
		if err != nil || len(is) > MaxBytes {
			continue
		}
		was, err := fs.ReadFile(shipped, e.Name())
		if err != nil {
			continue
		}
		if from, to, err := region(is); err == nil {
			if begin, end, err := region(was); err == nil {
				was = bytes.Join([][]byte{was[:begin], is[from:to], was[end:]}, nil)
			}
		}
		if line := firstOther(is, was); line > 0 {
			edited = append(edited, pipeline.Position{File: at, Line: line})
		}
	}
	return edited
}

// firstOther is the first line in which two texts differ, without regard to how lines end; 0 for none.
func firstOther(a, b []byte) int {
	split := func(text []byte) [][]byte {
		return bytes.Split(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"))
	}
	x, y := split(a), split(b)
	for i := range max(len(x), len(y)) {
		if i >= len(x) || i >= len(y) || !bytes.Equal(x[i], y[i]) {
			return i + 1
		}
	}
	return 0
}
