package hub

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// maxDiffCells bounds the line comparison; larger files count as replaced.
const maxDiffCells = 4 << 20

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

// count fills in the numbers and the patch.
func (c *change) count(from, to []byte) {
	if bytes.IndexByte(from, 0) >= 0 || bytes.IndexByte(to, 0) >= 0 {
		return
	}
	script := diffLines(lines(from), lines(to))
	for _, l := range script {
		switch l[0] {
		case '+':
			c.additions++
		case '-':
			c.deletions++
		}
	}
	if len(script) <= 3000 {
		c.patch = hunks(script)
	}
}

func lines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// diffLines is the edit script: every line with ' ', '-' or '+' before it.
func diffLines(a, b []string) []string {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []string
	mark := func(sign string, ls []string) {
		for _, l := range ls {
			out = append(out, sign+l)
		}
	}
	mark(" ", a[:head])
	out = append(out, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	mark(" ", a[len(a)-tail:])
	return out
}

// middle finds the longest common subsequence by the classic table.
func middle(a, b []string) []string {
	var out []string
	if (len(a)+1)*(len(b)+1) > maxDiffCells {
		for _, l := range a {
			out = append(out, "-"+l)
		}
		for _, l := range b {
			out = append(out, "+"+l)
		}
		return out
	}
	width := len(b) + 1
	table := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i*width+j] = table[(i+1)*width+j+1] + 1
			} else {
				table[i*width+j] = max(table[(i+1)*width+j], table[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, " "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && table[(i+1)*width+j] >= table[i*width+j+1]:
			out = append(out, "-"+a[i])
			i++
		default:
			out = append(out, "+"+b[j])
			j++
		}
	}
	return out
}

// hunks renders an edit script as a unified diff with three lines of context.
func hunks(script []string) string {
	const context = 3
	keep := make([]bool, len(script))
	for i, l := range script {
		if l[0] == ' ' {
			continue
		}
		for k := max(0, i-context); k < min(len(script), i+context+1); k++ {
			keep[k] = true
		}
	}
	var out []string
	oldLine, newLine := 1, 1
	for i := 0; i < len(script); {
		if !keep[i] {
			oldLine, newLine, i = oldLine+1, newLine+1, i+1
			continue
		}
		start, oldStart, newStart := i, oldLine, newLine
		for ; i < len(script) && keep[i]; i++ {
			if script[i][0] != '+' {
				oldLine++
			}
			if script[i][0] != '-' {
				newLine++
			}
		}
		out = append(out, fmt.Sprintf("@@ -%s +%s @@", span(oldStart, oldLine-oldStart), span(newStart, newLine-newStart)))
		out = append(out, script[start:i]...)
	}
	return strings.Join(out, "\n")
}

// span is git's "first,count"; an empty side begins at the line before.
func span(first, count int) string {
	if count == 0 {
		first--
	}
	return fmt.Sprintf("%d,%d", first, count)
}
