package attack

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// nestedJSON is a list in lists: what indents it multiplies it.
var nestedJSON = strings.Repeat("[", 9000) + strings.Repeat("]", 9000)

// smallObjects wants no object of the store to have more bytes: small-objects BYTES.
func (a *attempt) smallObjects(args []string) {
	a.T.Helper()
	most := fixture.Must(strconv.ParseInt(args[0], 10, 64))(a.T)
	fixture.Check(a.T, filepath.WalkDir(a.Store, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info := fixture.Must(e.Info())(a.T); info.Size() > most {
			a.T.Errorf("%s has %d bytes", at, info.Size())
		}
		return nil
	}))
}
