package terraform

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// setEnvironment makes the environment of the tool when the tree is there. The data
// directory is named relative to the root module: that path becomes path.module of
// remote modules, and a saved plan keeps it.
func (w *workspace) setEnvironment() error {
	root, err := filepath.EvalSymlinks(w.root)
	if err != nil {
		return w.failed("find the root module", err)
	}
	dir, err := filepath.EvalSymlinks(w.dir)
	if err != nil {
		return w.failed("find the workspace", err)
	}
	within, err := filepath.Rel(dir, root)
	if err != nil {
		return w.failed("find the root module", err)
	}
	data, err := filepath.Rel(root, filepath.Join(dir, filepath.Base(w.data)))
	if err != nil {
		return w.failed("find the data directory", err)
	}
	if w.env, err = tool.Environ(w.engine.options.Environ, w.job.Tool(), data); err != nil {
		return err
	}
	if process.HasFixedPlace {
		w.env = append(w.env, "PWD="+process.FixedPlace+"/"+filepath.ToSlash(within))
	}
	return nil
}

// fromRoot names a path relative to the root module, as arguments have to: the tool
// makes some absolute paths relative to its working directory, by its fixed name.
func (w *workspace) fromRoot(path string) string {
	root, err := filepath.EvalSymlinks(w.root)
	if err != nil {
		return path
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(root, filepath.Join(dir, filepath.Base(path)))
	if err != nil {
		return path
	}
	return rel
}

// own turns a path below the fixed place into the real one.
func (w *workspace) own(path string) string {
	if rest, ok := strings.CutPrefix(path, process.FixedPlace+"/"); ok {
		return filepath.Join(w.dir, filepath.FromSlash(rest))
	}
	return path
}

// modulesDigest covers what init fetched of modules: paths, contents, executable
// bits and links, without what version control keeps beside them. It is empty where
// there are none.
func (w *workspace) modulesDigest() (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Join(w.data, "modules"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	sum, count := sha256.New(), 0
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch rel = filepath.ToSlash(rel); {
		case entry.Name() == ".git" && entry.IsDir():
			return fs.SkipDir
		case entry.IsDir(), entry.Name() == ".git", rel == "modules.json": // the tool's own list
			return nil
		}
		kind, content, err := moduleEntry(path, entry)
		if err != nil {
			return err
		}
		count++
		fmt.Fprintf(sum, "%s %d %s %d %s\n", kind, len(rel), rel, len(content), content)
		return nil
	})
	if err != nil || count == 0 {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func moduleEntry(path string, entry fs.DirEntry) (kind, content string, err error) {
	switch {
	case entry.Type()&fs.ModeSymlink != 0:
		content, err = os.Readlink(path)
		return "link", filepath.ToSlash(content), err
	case !entry.Type().IsRegular():
		return "", "", fmt.Errorf("%s is neither file, directory nor link", path)
	}
	info, err := entry.Info()
	if err != nil {
		return "", "", err
	}
	kind = "file"
	if info.Mode().Perm()&0o111 != 0 {
		kind = "program"
	}
	content, err = tree.FileSHA256(path)
	return kind, content, err
}

// sameModules compares what init has fetched now with what the plan was made from.
func (w *workspace) sameModules(receipt pipeline.Receipt) error {
	now, err := w.modulesDigest()
	if err != nil {
		return w.failed("read the modules", err)
	}
	if now == receipt.Evidence[evidenceModules] {
		return nil
	}
	return &pipeline.RefusedError{
		Reason:   pipeline.ReasonStaleManager,
		Message:  "a module that the manager's code fetches is not the one that the plan was made from",
		Next:     "your service provider names each module by a version or commit that stays the same; then " + receipt.Mode.Afresh(),
		Operator: "name each module by a version or commit that stays the same; then " + cmp.Or(receipt.Mode.Restart(), receipt.Mode.Afresh()),
	}
}

// places are the paths of this run, which no other run has.
func (w *workspace) places() []string {
	dirs := []string{w.job.Dir}
	if actual, err := filepath.EvalSymlinks(w.job.Dir); err == nil && actual != w.job.Dir {
		dirs = append(dirs, actual)
	}
	return dirs
}

// placedError is the error of a plan that holds the directory of this run.
func (w *workspace) placedError(attribute string) error {
	return &pipeline.FailedError{
		Message:  fmt.Sprintf("%s cannot be planned: %s holds the directory of this run, which no other run has", target(w.job), attribute),
		Next:     pipeline.ProviderNext,
		Operator: "take a path that is relative to the module (path.module), or leave the path out of the resource",
	}
}

// homeWarning says of a plan that holds the home directory of this machine that its
// apply needs the same one; nil where no code asks for it, so that the path is written
// there. The tool finds a difference when it applies, resource by resource.
func (w *workspace) homeWarning(attribute string) *pipeline.Diagnostic {
	if attribute == "" || !w.expandsHome() {
		return nil
	}
	return &pipeline.Diagnostic{Warning: true,
		Summary: attribute + " holds the home directory of the machine that made the plan",
		Detail:  "The apply fails where its job has another home directory.",
		Remedy:  "the manager's maintainers leave pathexpand() out of what a resource keeps, or let all jobs run with one home directory"}
}

// expandsHome reports whether code of the manager, or a module that was fetched, calls
// pathexpand. Code that cannot be read may.
func (w *workspace) expandsHome() bool {
	found := false
	for _, dir := range []string{w.tree, filepath.Join(w.data, "modules")} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || found || entry.IsDir() {
				return err
			}
			if !module.IsCode(entry.Name()) {
				return nil
			}
			text, err := os.ReadFile(filepath.Clean(path))
			found = found || strings.Contains(string(text), "pathexpand")
			return err
		})
		found = found || err != nil && !errors.Is(err, fs.ErrNotExist)
	}
	return found
}

// ManagerPath turns a path that the tool named, relative to the root module or
// absolute, into one relative to the manager directory. A module that init
// fetched lies outside; it is named by its path in the data directory.
func (w *workspace) managerPath(name string) string {
	full := w.own(filepath.FromSlash(name))
	if !filepath.IsAbs(full) {
		full = filepath.Join(w.root, full)
	}
	for _, base := range []string{w.tree, w.data} {
		if rel, err := filepath.Rel(base, full); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return path.Base(filepath.ToSlash(name))
}
