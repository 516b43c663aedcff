package content

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// walk reads the names of a tree.
type walk struct {
	check  Check
	ctx    context.Context
	match  matcher
	result pipeline.ContentResult
	limit  int
	seen   int      // entries
	full   bool     // there are more than limit
	unread []string // directories

	required         uint64 // the patterns of Require that something matches
	app, infra       string // the first path of each that is no finding already
	anyApp, anyInfra bool
}

// directory is one of the tree.
type directory struct {
	abs, rel string // rel is slash-separated, "" the root
	at       []place
	hit      lists // of the directory and those above it
}

func (d directory) join(name string) string {
	if d.rel == "" {
		return name
	}
	return d.rel + "/" + name
}

// under reports whether a path is the customer's path or lies below it.
func (w *walk) under(path string) bool {
	rest, ok := strings.CutPrefix(path, w.check.Path)
	return ok && (rest == "" || rest[0] == '/')
}

// leads reports whether a directory is above the customer's path.
func (w *walk) leads(path string) bool { return strings.HasPrefix(w.check.Path, path+"/") }

// read looks at a directory and all that is below it. A directory that cannot be read is
// noted; the error is that of the context.
func (w *walk) read(d directory) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	entries, err := w.list(d.abs)
	if err != nil {
		w.unread = append(w.unread, shown(filepath.ToSlash(d.join("."))))
		return nil
	}
	if d.rel != "" && w.other(d, entries) {
		return nil
	}
	w.collisions(d, entries)
	for _, e := range entries {
		if w.full {
			return nil
		}
		if e.Name() == ".git" { // of the checkout itself
			continue
		}
		hit := d.hit.with(w.match.leaf(d.at, e.Name()))
		if !e.IsDir() {
			w.leaf(d, e, hit)
			continue
		}
		rel := d.join(e.Name())
		if hit.ignore && !w.under(rel) && !w.leads(rel) {
			continue
		}
		if err := w.read(directory{abs: filepath.Join(d.abs, e.Name()), rel: rel, at: w.match.below(d.at, e.Name()), hit: hit}); err != nil {
			return err
		}
	}
	return nil
}

// list returns the entries of a directory in the order of their names, as far as the
// bound goes.
func (w *walk) list(abs string) (entries []fs.DirEntry, err error) {
	f, err := os.Open(abs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for {
		some, err := f.ReadDir(min(4096, w.limit-w.seen+1))
		w.seen += len(some)
		entries = append(entries, some...)
		switch {
		case w.seen > w.limit:
			w.full = true
			return nil, nil
		case errors.Is(err, io.EOF):
			slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
			return entries, nil
		case err != nil:
			return nil, err
		}
	}
}

// other reports whether a directory is another repository. Its files are not those of the
// customer. git has no empty directories: one under the path is a submodule that was
// not checked out, or a step has made it.
func (w *walk) other(d directory, entries []fs.DirEntry) bool {
	nested := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" })
	inside := w.under(d.rel)
	if !nested && (!inside || len(entries) > 0 || w.full) {
		return false
	}
	if inside {
		message := "this is another repository, such as a submodule, whose files are not reviewed here"
		if !nested {
			message = "this directory is empty, as a submodule is that is not checked out"
		}
		w.find(d.rel, RuleSubmodule, message, "replace it by the files themselves, or remove it")
	}
	w.note(d.rel, d.hit)
	return true
}

// leaf looks at what is no directory.
func (w *walk) leaf(d directory, e fs.DirEntry, hit lists) {
	link := e.Type() != 0
	if !link && !hit.forbid && !hit.ignore && hit.require == 0 && (!hit.app || w.app != "") && (!hit.infra || w.infra != "") {
		w.anyApp, w.anyInfra = w.anyApp || hit.app && !hit.infra, w.anyInfra || hit.infra
		return // most files, without a path of their own
	}
	rel := d.join(e.Name())
	inside := w.under(rel)
	if hit.ignore && !inside && !w.leads(rel) {
		return
	}
	if link && (inside || w.leads(rel)) {
		what := "this is no regular file"
		if e.Type()&fs.ModeSymlink != 0 {
			what = "this is a symbolic link"
		}
		w.find(rel, RuleLink, what+", and files under the path must be regular ones", "replace it by a regular file, or remove it")
		hit.forbid = false // one finding is enough
	}
	w.note(rel, hit)
}

// note takes a path that is no directory of this repository into account.
func (w *walk) note(rel string, hit lists) {
	w.required |= hit.require
	app := hit.app && !hit.infra
	w.anyApp, w.anyInfra = w.anyApp || app, w.anyInfra || hit.infra
	switch {
	case hit.forbid && !hit.allow:
		w.find(rel, RuleForbidden, "a repository of the type "+string(w.result.Type)+" may not have this", "remove it, or ask your service provider")
	case hit.infra && w.infra == "":
		w.infra = rel
	case app && w.app == "":
		w.app = rel
	}
}

// collisions notes names under the path, or of the path, that a file system which ignores
// case or Unicode forms takes for the same: which of them is read is chance there.
func (w *walk) collisions(d directory, entries []fs.DirEntry) {
	only := "" // the folded name that matters
	if !w.under(d.rel) || d.rel == "" {
		if d.rel != "" && !w.leads(d.rel) {
			return
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(w.check.Path, d.rel), "/")
		next, _, _ := strings.Cut(rest, "/")
		only = fold(next)
	}
	first := map[string]string{}
	for _, e := range entries {
		folded := fold(e.Name())
		if only != "" && folded != only {
			continue
		}
		if other, taken := first[folded]; taken {
			w.find(d.join(e.Name()), RuleCase, "this name and "+pipeline.Quote(other)+" are the same where case or Unicode forms do not count", "rename one of the two")
			continue
		}
		first[folded] = e.Name()
	}
}

func fold(name string) string { return norm.NFC.String(cases.Fold().String(norm.NFD.String(name))) }
