package tree

import (
	"context"
	"crypto/sha256"
	"hash"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// codeList is the manager's own list of what plans read.
type codeList struct {
	patterns []pipeline.CodePattern
	dirs     []string // relative slash paths that count with all that is below them
	atTop    bool     // the root module is the top of the tree: its files count, its directories do not
	registry bool     // something in the registry counts
	rest     hash.Hash
}

// newCodeList reads which paths of a tree count. The directory of the root module always
// does. Where a link counts, what it leads to counts too.
func newCodeList(ctx context.Context, w treeWalk, root string, listed []string) (*codeList, error) {
	l := &codeList{rest: sha256.New()}
	for _, text := range listed {
		l.patterns = append(l.patterns, pipeline.ParseCodePattern(text))
	}
	if root = filepath.ToSlash(filepath.Clean(root)); root == "." {
		l.atTop = true
	} else {
		l.dirs = append(l.dirs, root)
		if actual, err := w.resolved(root); err == nil {
			l.dirs = append(l.dirs, actual)
		}
	}
	links, registry := map[string]string{}, []string{RegistryDir}
	err := w.dir(ctx, "", func(path string, entry fs.DirEntry) error {
		if strings.HasPrefix(path, RegistryDir+"/") {
			registry = append(registry, path)
		}
		if entry.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		if target, err := w.resolved(path); err == nil {
			links[path] = target
		}
		return nil // one may lead nowhere; the copy refuses one that leads out
	})
	l.follow(links)
	for _, path := range registry {
		l.registry = l.registry || l.counts(path)
	}
	return l, err
}

// follow adds what links that count lead to.
func (l *codeList) follow(links map[string]string) {
	for added := true; added; {
		added = false
		for path, target := range links {
			if l.counts(path) && !l.counts(target) {
				l.dirs, added = append(l.dirs, target), true
			}
		}
	}
}

// resolved is the path below the tree that a path leads to.
func (w treeWalk) resolved(path string) (string, error) {
	base, err := filepath.EvalSymlinks(w.from)
	if err != nil {
		return "", err
	}
	actual, err := filepath.EvalSymlinks(filepath.Join(w.from, filepath.FromSlash(path)))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(base, actual)
	return filepath.ToSlash(rel), err
}

// counts reports whether a file or link is code.
func (l *codeList) counts(path string) bool {
	for _, dir := range l.dirs {
		if dir == "." || path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	for _, p := range l.patterns {
		if p.Match(path) {
			return true
		}
	}
	return l.atTop && !strings.Contains(path, "/") && !usuallyUnread(path)
}
