package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

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
		return "", &pipeline.UsageError{Message: fmt.Sprintf("%s %s is %s, not a file", flag, name, irregular(info.Mode())), Next: next}
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
	const next = "name the checkout of a repository"
	info, err := os.Stat(a.absolute(dir))
	if err := notThere(flag+" "+dir, next, err); err != nil {
		return err
	}
	if !info.IsDir() {
		return &pipeline.UsageError{Message: fmt.Sprintf("%s %s is not a directory", flag, dir), Next: next}
	}
	return nil
}

// notThere is the error about a path that what names, or nil.
func notThere(what, next string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &pipeline.UsageError{Message: what + " does not exist", Next: next}
	}
	return &pipeline.UsageError{Message: what + " cannot be read", Next: next, Err: text.FileError(err)}
}
