package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// path reads a relative, clean, slash-separated path that stays below its base.
func (d *decoder) path(v value) (string, bool) {
	s, ok := d.text(v)
	if !ok {
		return "", false
	}
	if message := pipeline.BadPath(s); message != "" {
		d.add(v.at, RulePath, fmt.Sprintf("%s is %q, which %s", v.name, strictyaml.Short(s), message), "write a relative path with / and without ., .. or a trailing /")
		return "", false
	}
	return s, true
}

// directory reads the place of states: a path below the manager directory, or
// an absolute one, since states may outlive the checkout.
func (d *decoder) directory(v value) (string, bool) {
	s, ok := d.text(v)
	if !ok {
		return "", false
	}
	if !filepath.IsAbs(s) {
		p, ok := d.path(v)
		if ok && p == "." {
			d.add(v.at, RulePath, v.name+" is the manager directory itself", "name a directory below it, such as .metapipe/state")
			return "", false
		}
		return p, ok
	}
	if filepath.Clean(s) != s || s == filepath.VolumeName(s)+string(filepath.Separator) || strings.ContainsFunc(s, unicode.IsControl) {
		d.add(v.at, RulePath, fmt.Sprintf("%s is %q, which is not a clean path of a directory", v.name, strictyaml.Short(s)), "write it without ., .. or a trailing /")
		return "", false
	}
	return s, true
}

// checkStateDirectory keeps states out of the directories that are read as
// configuration.
func (l *loader) checkStateDirectory(n *strictyaml.Node, m pipeline.Manager) {
	at, exact := n.Locate("state", "directory")
	if !exact || m.State.Directory == "" { // not there, or reported already
		return
	}
	at.File = ManagerFile
	if within(m.State.Directory, CustomersDir) {
		l.add(at, RulePath, "state.directory is inside "+CustomersDir, "use a directory of its own, such as .metapipe/state")
		return
	}
	if filepath.IsAbs(m.State.Directory) {
		return
	}
	info, err := l.root.Stat(filepath.FromSlash(m.State.Directory))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		l.add(at, RulePath, fmt.Sprintf("state.directory cannot be used: %v", text.FileError(err)), "name a directory below the manager directory that is no link out of it")
	case !info.IsDir():
		l.add(at, RulePath, "state.directory is a file", "name a directory")
	}
}

func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// checkSchema demands that the schema exists and compiles.
func (l *loader) checkSchema(n *strictyaml.Node, m pipeline.Manager) {
	if m.Schema == "" {
		return
	}
	at, _ := n.Locate("schema")
	at.File = ManagerFile
	raw, err := readBounded(l.root, filepath.FromSlash(m.Schema), maxSchemaBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.add(at, RuleMissingPath, fmt.Sprintf("the schema %s does not exist", m.Schema), "create it, or correct the path; it is relative to the manager directory")
		return
	case err != nil:
		l.add(at, RuleMissingPath, fmt.Sprintf("the schema %s cannot be read: %v", m.Schema, text.FileError(err)), "make it a plain file inside the manager directory")
		return
	}
	found := strictyaml.CheckKeywords(m.Schema, raw)
	if _, err := strictyaml.Compile(m.Schema, raw); err != nil {
		for _, p := range strictyaml.SchemaProblems(m.Schema, err) {
			if !slices.ContainsFunc(found, func(q pipeline.Problem) bool { return q.Position == p.Position && q.Message == p.Message }) {
				found = append(found, p)
			}
		}
	}
	l.problems = append(l.problems, found...)
}

var (
	errNotDirectory = errors.New("not a directory")
	errNotRegular   = errors.New("not a plain file")
	errTooLarge     = errors.New("too large")
)

// readBounded reads a plain file of at most limit bytes.
func readBounded(root *os.Root, name string, limit int) (raw []byte, err error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw, err = io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(raw) > limit {
		return nil, fmt.Errorf("%w: more than %s", errTooLarge, strictyaml.Size(limit))
	}
	return raw, err
}
