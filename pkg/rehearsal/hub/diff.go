package hub

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// change is one file that differs between two trees.
type change struct {
	path, previous string // previous: the old path of a rename
	status         string // added, removed, modified, renamed
	sha            string // of the new content, of the old when removed
	additions      int
	deletions      int
	patch          string // empty for binary or very large files
}

// diff lists the files in which two trees differ, by path. A file that was
// removed and added elsewhere with the same content is a rename.
func (o *objectStore) diff(from, to string) []change {
	a, b := o.flatten(from), o.flatten(to)
	removedBySHA := map[string]string{}
	for _, p := range slices.Sorted(maps.Keys(a)) {
		if _, kept := b[p]; !kept {
			removedBySHA[a[p].sha] = p
		}
	}
	var out []change
	renamed := map[string]bool{}
	for _, p := range slices.Sorted(maps.Keys(b)) {
		now, was := b[p], a[p]
		if now == was {
			continue
		}
		c := change{path: p, status: "modified", sha: now.sha}
		if was == (leaf{}) {
			c.status = "added"
			if old, moved := removedBySHA[now.sha]; moved {
				c.status, c.previous = "renamed", old
				renamed[old] = true
				delete(removedBySHA, now.sha)
				out = append(out, c)
				continue
			}
		}
		c.count(o.blobs[was.sha], o.blobs[now.sha])
		out = append(out, c)
	}
	for p, l := range a {
		if _, kept := b[p]; kept || renamed[p] {
			continue
		}
		c := change{path: p, status: "removed", sha: l.sha}
		c.count(o.blobs[l.sha], nil)
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y change) int { return strings.Compare(x.path, y.path) })
	return out
}

// maxPatchLines bounds a patch; GitHub leaves out those of large changes as well.
const maxPatchLines = 3000

// count fills in the numbers and the patch.
func (c *change) count(from, to []byte) {
	if bytes.Equal(from, to) || bytes.IndexByte(from, 0) >= 0 || bytes.IndexByte(to, 0) >= 0 {
		return
	}
	patch := hunks(from, to)
	for _, l := range patch {
		switch l[0] {
		case '+':
			c.additions++
		case '-':
			c.deletions++
		}
	}
	if len(patch) <= maxPatchLines {
		c.patch = strings.Join(patch, "\n")
	}
}

// hunks are the lines of a unified diff of two texts that differ, without the
// names of the files.
func hunks(from, to []byte) []string {
	const header = 3
	lines := strings.Split(strings.TrimSuffix(string(diff.Diff("", from, "", to)), "\n"), "\n")
	return lines[header:]
}

func totals(files []change) (additions, deletions int) {
	for _, f := range files {
		additions += f.additions
		deletions += f.deletions
	}
	return additions, deletions
}
