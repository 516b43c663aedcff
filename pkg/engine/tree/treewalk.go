package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// RuleTree is an entry of the manager's checkout that no plan accepts.
const RuleTree = "manager-tree"

// treeWalk visits what a plan copies of a manager's checkout.
type treeWalk struct {
	from string          // absolute
	skip map[string]bool // relative slash paths that are left out
}

func newTreeWalk(from string, skip []string) treeWalk {
	w := treeWalk{from: from, skip: map[string]bool{}}
	for _, path := range skip {
		if rel, err := filepath.Rel(from, path); err == nil && rel != "." && filepath.IsLocal(rel) {
			w.skip[filepath.ToSlash(rel)] = true
		}
	}
	return w
}

// OwnPaths are the paths that a plan of the root module leaves out of the manager's
// checkout: the files of the names that metapipe itself writes into the root, and a state
// directory.
func OwnPaths(dir, root, stateDir string, names []string) []string {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, filepath.FromSlash(root), name))
	}
	if stateDir != "" && !filepath.IsAbs(stateDir) {
		stateDir = filepath.Join(dir, stateDir)
	}
	if stateDir != "" {
		paths = append(paths, stateDir)
	}
	return paths
}

// dir visits the entries of a directory by name, each directory before what it holds.
func (w treeWalk) dir(ctx context.Context, rel string, visit func(path string, entry fs.DirEntry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(w.from, rel))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := entry.Name()
		if rel != "" {
			path = rel + "/" + path
		}
		if w.skip[path] || leftOut(entry) {
			continue
		}
		if err := visit(path, entry); err != nil {
			return err
		}
		if entry.IsDir() {
			if err := w.dir(ctx, path, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// leftOut names what is never part of a manager tree: history, the data of other
// runs, and states, which must not be reachable from a workspace.
func leftOut(entry fs.DirEntry) bool {
	name := entry.Name()
	switch name {
	case ".git", ".terraform", ".metapipe", "terraform.tfstate.d":
		return true
	}
	return !entry.IsDir() && (strings.HasSuffix(name, ".tfstate") ||
		strings.Contains(name, ".tfstate.") || strings.HasSuffix(name, ".tflock"))
}

// treeError is an entry that no plan accepts.
type treeError struct{ path, what, next string }

func (e *treeError) Error() string { return e.path + " " + e.what + ": " + e.next }

// linkText is the target of an entry that is neither a file nor a directory. It must be
// a link that stays inside of the tree: an absolute one would lead from a copy to the
// original. One whose target is missing may stay.
func (w treeWalk) linkText(path string, entry fs.DirEntry) (string, error) {
	if entry.Type()&fs.ModeSymlink == 0 {
		return "", &treeError{path, "is neither a file, a directory nor a link", "remove it from the manager directory"}
	}
	text, err := os.Readlink(filepath.Join(w.from, path))
	if err != nil {
		return "", err
	}
	outside := &treeError{path, fmt.Sprintf("is a link to %s, which leads out of the manager directory", text), "make it relative and keep it inside, or copy what it names"}
	if filepath.IsAbs(text) || !filepath.IsLocal(filepath.Join(filepath.Dir(path), text)) {
		return "", outside
	}
	// By way of another link a path can leave the tree although it does not look so.
	if actual, err := filepath.EvalSymlinks(filepath.Join(w.from, path)); err == nil {
		base, err := filepath.EvalSymlinks(w.from)
		if err != nil {
			return "", err
		}
		if rel, err := filepath.Rel(base, actual); err != nil || !filepath.IsLocal(rel) {
			return "", outside
		}
	}
	return text, nil
}

// CheckTree reports each entry of the manager's checkout dir for which a plan of the root
// module would refuse it. Root is a slash path below dir; stateDir is the directory of
// local states, or empty; names are those of OwnPaths.
func CheckTree(ctx context.Context, dir, root, stateDir string, names []string) (pipeline.Problems, error) {
	var problems pipeline.Problems
	w := newTreeWalk(dir, OwnPaths(dir, root, stateDir, names))
	err := w.dir(ctx, "", func(path string, entry fs.DirEntry) error {
		if entry.IsDir() || entry.Type().IsRegular() {
			return nil
		}
		_, err := w.linkText(path, entry)
		var refused *treeError
		if !errors.As(err, &refused) {
			return err
		}
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: path}, Rule: RuleTree, Message: "the path " + refused.what, Remedy: refused.next})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the manager directory %s: %w", dir, err)
	}
	return problems, nil
}
