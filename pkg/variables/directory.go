package variables

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// CheckDirectory refuses a path, as pipeline.ParseCustomerPath returns it, that is no
// directory of the checkout in dir. Names are compared byte by byte, also where the
// file system ignores case or Unicode forms: GitHub lists changed paths by the names
// that git has. Links are refused, since changes behind them have other paths. The
// error is a *pipeline.UsageError.
func CheckDirectory(dir, path string) error {
	at := dir
	done := ""
	for part := range strings.SplitSeq(path, "/") {
		entries, err := os.ReadDir(at)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return pipeline.Usagef("look for the directory %q in the checkout", path).Because(err).
				Nextf("check the permissions of the checkout")
		}
		entry, near := find(entries, part)
		switch {
		case entry == nil && near != "":
			return noDirectory(path, "", fmt.Sprintf("write --path %q", done+near+strings.TrimPrefix(path, done+part)))
		case entry == nil:
			return noDirectory(path, "", "name the directory of "+pipeline.VariablesFile+" with --path, and check out the repository before this step (actions/checkout)")
		case entry.Type()&fs.ModeSymlink != 0:
			return noDirectory(path, fmt.Sprintf(": %s is a symbolic link", done+part), "name the directory that the link leads to")
		case !entry.IsDir():
			return noDirectory(path, fmt.Sprintf(": %s is a file", done+part), "name the directory of "+pipeline.VariablesFile+" with --path")
		}
		at, done = filepath.Join(at, part), done+part+"/"
	}
	return nil
}

func noDirectory(path, why, next string) error {
	return pipeline.Usagef("the checkout has no directory %q%s", path, why).Nextf("%s", next)
}

// find returns the entry of that very name, else the directory whose name is the same
// but for case.
func find(entries []fs.DirEntry, name string) (entry fs.DirEntry, near string) {
	for _, e := range entries {
		if e.Name() == name {
			return e, ""
		}
		if e.IsDir() && strings.EqualFold(e.Name(), name) {
			near = e.Name()
		}
	}
	return nil, near
}
