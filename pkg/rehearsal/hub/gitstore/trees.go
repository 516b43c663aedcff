package gitstore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Leaf is a file of a flattened tree.
type Leaf struct{ Mode, SHA string }

// maxLinks bounds the symbolic links that one look-up follows.
const maxLinks = 40

// CheckPath refuses what git would refuse as the path of a file.
func CheckPath(p string) error {
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") || strings.ContainsRune(part, 0) {
			return fmt.Errorf("path %q is not allowed in a git tree", p)
		}
	}
	return nil
}

// Flatten lists all files of a tree by their full path.
func (o *Store) Flatten(tree string) map[string]Leaf {
	out := map[string]Leaf{}
	var walk func(sha, prefix string)
	walk = func(sha, prefix string) {
		for _, e := range o.Trees[sha] {
			if e.Mode == ModeTree {
				walk(e.SHA, prefix+e.Name+"/")
				continue
			}
			out[prefix+e.Name] = Leaf{e.Mode, e.SHA}
		}
	}
	walk(tree, "")
	return out
}

// Build is the inverse of Flatten. A path that is both a file and a directory
// is an error.
func (o *Store) Build(files map[string]Leaf) (string, error) {
	var entries []Entry
	below := map[string]map[string]Leaf{}
	for p, l := range files {
		first, rest, deep := strings.Cut(p, "/")
		if !deep {
			entries = append(entries, Entry{first, l.Mode, l.SHA})
			continue
		}
		if below[first] == nil {
			below[first] = map[string]Leaf{}
		}
		below[first][rest] = l
	}
	for _, e := range entries {
		if below[e.Name] != nil {
			return "", fmt.Errorf("%q is both a file and a directory", e.Name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(below)) {
		sha, err := o.Build(below[dir])
		if err != nil {
			return "", fmt.Errorf("%s/: %w", dir, err)
		}
		entries = append(entries, Entry{dir, ModeTree, sha})
	}
	return o.putTree(entries), nil
}

// Lookup finds the entry at a path without following a link at its end.
func (o *Store) Lookup(tree, p string) (Entry, bool) {
	at := Entry{Mode: ModeTree, SHA: tree}
	if p == "" {
		return at, true
	}
	for part := range strings.SplitSeq(p, "/") {
		if at.Mode != ModeTree {
			return Entry{}, false
		}
		i := slices.IndexFunc(o.Trees[at.SHA], func(e Entry) bool { return e.Name == part })
		if i < 0 {
			return Entry{}, false
		}
		at = o.Trees[at.SHA][i]
	}
	return at, true
}

// Follow finds the entry at a path, following links in it and at its end while
// they stay inside the tree. It returns the path that it ended at; where a link
// leads nowhere, good is false.
func (o *Store) Follow(tree, p string) (at Entry, end string, good bool) {
	done, todo := "", p
	at = Entry{Mode: ModeTree, SHA: tree}
	for links := 0; todo != ""; {
		part, rest, _ := strings.Cut(todo, "/")
		next := strings.TrimPrefix(done+"/"+part, "/")
		e, found := o.Lookup(tree, next)
		if !found {
			return Entry{}, "", false
		}
		if e.Mode != ModeSymlink {
			at, done, todo = e, next, rest
			continue
		}
		links++
		target, inside := resolveLink(next, string(o.Blobs[e.SHA]))
		if !inside || links > maxLinks {
			return Entry{}, "", false
		}
		done, todo = "", strings.Trim(target+"/"+rest, "/")
		at = Entry{Mode: ModeTree, SHA: tree}
	}
	return at, done, true
}

// resolveLink joins the target of a link to the directory of the link; inside
// is false when it leaves the repository.
func resolveLink(link, target string) (path string, inside bool) {
	if strings.HasPrefix(target, "/") {
		return "", false
	}
	parts := strings.Split(link, "/")
	parts = parts[:len(parts)-1]
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if len(parts) == 0 {
				return "", false
			}
			parts = parts[:len(parts)-1]
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/"), true
}
