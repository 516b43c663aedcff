package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// namedFile is the absolute path of the file that a flag names. A file that is not there
// or cannot be read is a mistake in the flag, whatever the command wants with it.
func (a *App) namedFile(flag, name, next string) (string, error) {
	path := a.absolute(name)
	info, err := os.Stat(path)
	if err := notThere(flag+" "+name, next, err); err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", pipeline.Usagef("%s %s is %s, not a file", flag, name, irregular(info.Mode())).Nextf("%s", next)
	}
	f, err := os.Open(path)
	if err == nil {
		err = f.Close()
	}
	return path, notThere(flag+" "+name, next, err)
}

func irregular(mode fs.FileMode) string {
	if mode.IsDir() {
		return "a directory"
	}
	return "a device or a pipe"
}

// checkoutDir refuses a directory that is not there. The flag stands in the message.
func (a *App) checkoutDir(flag, dir string) error {
	next := "name the checkout of a repository"
	info, err := os.Stat(a.absolute(dir))
	if errors.Is(err, fs.ErrNotExist) {
		if near := nearDirectory(a.absolute(dir)); near != "" {
			next = fmt.Sprintf("did you mean %s %s?", flag, shellWord(filepath.Join(filepath.Dir(dir), near)))
		}
	}
	if err := notThere(flag+" "+dir, next, err); err != nil {
		return err
	}
	if !info.IsDir() {
		return pipeline.Usagef("%s %s is not a directory", flag, dir).Nextf("%s", next)
	}
	if flag == "--customer-dir" && insideCheckout(a.absolute(dir)) {
		return pipeline.Usagef("%s %s is a directory of a checkout: %s is in this directory", flag, dir, pipeline.VariablesFile).
			Nextf("name the checkout: %s %s", flag, shellWord(parent(dir)))
	}
	return nil
}

// nearDirectory is the directory beside a missing one with nearly its name; "" for none.
func nearDirectory(missing string) string {
	entries, err := os.ReadDir(filepath.Dir(missing))
	if err != nil {
		return "" // no advice
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return pipeline.Nearest(filepath.Base(missing), names)
}

// insideCheckout reports whether dir is the directory of variables.yml at its default path,
// in place of the checkout around it.
func insideCheckout(dir string) bool {
	return filepath.Base(dir) == config.DefaultPath && exists(filepath.Join(dir, pipeline.VariablesFile)) &&
		!exists(filepath.Join(dir, config.DefaultPath)) && !exists(filepath.Join(dir, ".git"))
}

// parent is the directory above dir, written like dir.
func parent(dir string) string {
	if base := filepath.Base(dir); base == "." || base == ".." {
		return filepath.Join(dir, "..")
	}
	return filepath.Dir(filepath.Clean(dir))
}

// notThere is the error about a path that what names, or nil.
func notThere(what, next string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return pipeline.Usagef("%s does not exist", what).Nextf("%s", next)
	}
	return pipeline.Usagef("%s cannot be read", what).Because(text.FileError(err)).Nextf("%s", next)
}
