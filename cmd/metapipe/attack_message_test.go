package main

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// nestedJSON is a list in lists: what indents it multiplies it.
var nestedJSON = strings.Repeat("[", 9000) + strings.Repeat("]", 9000)

// smallObjects wants no object of the store to have more bytes: small-objects BYTES.
func (a *attempt) smallObjects(args []string) {
	a.T.Helper()
	most := Must(strconv.ParseInt(args[0], 10, 64))(a.T)
	Check(a.T, filepath.WalkDir(a.Store, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info := Must(e.Info())(a.T); info.Size() > most {
			a.T.Errorf("%s has %d bytes", at, info.Size())
		}
		return nil
	}))
}
