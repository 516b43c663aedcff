package gitstore

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// FileChange is one file that differs between two trees.
type FileChange struct {
	Path, Previous string // Previous: the old path of a rename
	Status         string // added, removed, modified, renamed
	SHA            string // of the new content, of the old when removed
	Additions      int
	Deletions      int
	Patch          string // empty for binary or very large files
}

// Diff lists the files in which two trees differ, by path. A file that was
// removed and added elsewhere with the same content is a rename.
func (o *Store) Diff(from, to string) []FileChange {
	a, b := o.Flatten(from), o.Flatten(to)
	removedBySHA := map[string]string{}
	for _, p := range slices.Sorted(maps.Keys(a)) {
		if _, kept := b[p]; !kept {
			removedBySHA[a[p].SHA] = p
		}
	}
	var out []FileChange
	renamed := map[string]bool{}
	for _, p := range slices.Sorted(maps.Keys(b)) {
		now, was := b[p], a[p]
		if now == was {
			continue
		}
		c := FileChange{Path: p, Status: "modified", SHA: now.SHA}
		if was == (Leaf{}) {
			c.Status = "added"
			if old, moved := removedBySHA[now.SHA]; moved {
				c.Status, c.Previous = "renamed", old
				renamed[old] = true
				delete(removedBySHA, now.SHA)
				out = append(out, c)
				continue
			}
		}
		c.count(o.Blobs[was.SHA], o.Blobs[now.SHA])
		out = append(out, c)
	}
	for p, l := range a {
		if _, kept := b[p]; kept || renamed[p] {
			continue
		}
		c := FileChange{Path: p, Status: "removed", SHA: l.SHA}
		c.count(o.Blobs[l.SHA], nil)
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y FileChange) int { return strings.Compare(x.Path, y.Path) })
	return out
}

// maxPatchLines bounds a patch; GitHub leaves out those of large changes as well.
const maxPatchLines = 3000

// count fills in the numbers and the patch.
func (c *FileChange) count(from, to []byte) {
	if bytes.Equal(from, to) || bytes.IndexByte(from, 0) >= 0 || bytes.IndexByte(to, 0) >= 0 {
		return
	}
	patch := hunks(from, to)
	for _, l := range patch {
		switch l[0] {
		case '+':
			c.Additions++
		case '-':
			c.Deletions++
		}
	}
	if len(patch) <= maxPatchLines {
		c.Patch = strings.Join(patch, "\n")
	}
}

// hunks are the lines of a unified diff of two texts that differ, without the
// names of the files.
func hunks(from, to []byte) []string {
	const header = 3
	lines := strings.Split(strings.TrimSuffix(string(diff.Diff("", from, "", to)), "\n"), "\n")
	return lines[header:]
}

// Totals adds up the lines of all files.
func Totals(files []FileChange) (additions, deletions int) {
	for _, f := range files {
		additions += f.Additions
		deletions += f.Deletions
	}
	return additions, deletions
}
