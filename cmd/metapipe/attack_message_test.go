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
	a.t.Helper()
	most := must(strconv.ParseInt(args[0], 10, 64))(a.t)
	check(a.t, filepath.WalkDir(a.store, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info := must(e.Info())(a.t); info.Size() > most {
			a.t.Errorf("%s has %d bytes", at, info.Size())
		}
		return nil
	}))
}
