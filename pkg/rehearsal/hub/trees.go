package hub

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// leaf is a file of a flattened tree.
type leaf struct{ mode, sha string }

// maxLinks bounds the symbolic links that one look-up follows.
const maxLinks = 40

// checkPath refuses what git would refuse as the path of a file.
func checkPath(p string) error {
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") || strings.ContainsRune(part, 0) {
			return fmt.Errorf("path %q is not allowed in a git tree", p)
		}
	}
	return nil
}

// flatten lists all files of a tree by their full path.
func (o *objectStore) flatten(tree string) map[string]leaf {
	out := map[string]leaf{}
	var walk func(sha, prefix string)
	walk = func(sha, prefix string) {
		for _, e := range o.trees[sha] {
			if e.mode == modeTree {
				walk(e.sha, prefix+e.name+"/")
				continue
			}
			out[prefix+e.name] = leaf{e.mode, e.sha}
		}
	}
	walk(tree, "")
	return out
}

// build is the inverse of flatten. A path that is both a file and a directory
// is an error.
func (o *objectStore) build(files map[string]leaf) (string, error) {
	var entries []treeEntry
	below := map[string]map[string]leaf{}
	for p, l := range files {
		first, rest, deep := strings.Cut(p, "/")
		if !deep {
			entries = append(entries, treeEntry{first, l.mode, l.sha})
			continue
		}
		if below[first] == nil {
			below[first] = map[string]leaf{}
		}
		below[first][rest] = l
	}
	for _, e := range entries {
		if below[e.name] != nil {
			return "", fmt.Errorf("%q is both a file and a directory", e.name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(below)) {
		sha, err := o.build(below[dir])
		if err != nil {
			return "", fmt.Errorf("%s/: %w", dir, err)
		}
		entries = append(entries, treeEntry{dir, modeTree, sha})
	}
	return o.putTree(entries), nil
}

// lookup finds the entry at a path without following a link at its end.
func (o *objectStore) lookup(tree, p string) (treeEntry, bool) {
	at := treeEntry{mode: modeTree, sha: tree}
	if p == "" {
		return at, true
	}
	for part := range strings.SplitSeq(p, "/") {
		if at.mode != modeTree {
			return treeEntry{}, false
		}
		i := slices.IndexFunc(o.trees[at.sha], func(e treeEntry) bool { return e.name == part })
		if i < 0 {
			return treeEntry{}, false
		}
		at = o.trees[at.sha][i]
	}
	return at, true
}

// follow finds the entry at a path, following links in it and at its end while
// they stay inside the tree. It returns the path that it ended at; where a link
// leads nowhere, good is false.
func (o *objectStore) follow(tree, p string) (at treeEntry, end string, good bool) {
	done, todo := "", p
	at = treeEntry{mode: modeTree, sha: tree}
	for links := 0; todo != ""; {
		part, rest, _ := strings.Cut(todo, "/")
		next := strings.TrimPrefix(done+"/"+part, "/")
		e, found := o.lookup(tree, next)
		if !found {
			return treeEntry{}, "", false
		}
		if e.mode != ModeSymlink {
			at, done, todo = e, next, rest
			continue
		}
		links++
		target, inside := resolveLink(next, string(o.blobs[e.sha]))
		if !inside || links > maxLinks {
			return treeEntry{}, "", false
		}
		done, todo = "", strings.Trim(target+"/"+rest, "/")
		at = treeEntry{mode: modeTree, sha: tree}
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
