package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/config"
)

// managerDir is the absolute directory of the manager checkout: that of --manager-dir,
// else the working directory. Every command asks here. A directory that is named must
// exist. Whether it must hold metapipe.yml is up to the command.
func (a *App) managerDir(flag string) (string, error) {
	if flag == "" {
		return a.absolute(""), nil
	}
	return a.absolute(flag), a.checkoutDir("--manager-dir", flag)
}

// isManager reports whether a directory is a manager checkout. A metapipe.yml that
// cannot be read makes it one: the command that reads it says why it cannot.
func isManager(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, config.ManagerFile))
	return !errors.Is(err, fs.ErrNotExist)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
