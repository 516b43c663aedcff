package attack

import (
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// tempTrap lays into the directory for temporary files what looks like leftovers of
// metapipe: a link to files of someone else, and a directory that others can write to.
func (a *attempt) tempTrap([]string) {
	a.T.Helper()
	a.temp = a.T.TempDir()
	theirs, shared := filepath.Join(a.temp, "theirs"), filepath.Join(a.temp, "metapipe-222")
	for _, dir := range []string{theirs, shared} {
		fixture.Check(a.T, os.Mkdir(dir, 0o700))
		fixture.Check(a.T, os.WriteFile(filepath.Join(dir, "file"), []byte("precious"), 0o600))
	}
	fixture.Check(a.T, os.Chmod(shared, 0o777))
	fixture.Check(a.T, os.Symlink(theirs, filepath.Join(a.temp, "metapipe-111")))
	a.with = append(a.with, "RUNNER_TEMP="+a.temp, "TMPDIR="+a.temp)
}

// trapUntouched looks whether the commands since then removed what is not their own,
// or put something there.
func (a *attempt) trapUntouched([]string) {
	a.T.Helper()
	if len(a.plans) == 0 {
		a.T.Fatal("no plan has run in that directory")
	}
	for _, dir := range []string{"theirs", "metapipe-111", "metapipe-222"} {
		entries, err := os.ReadDir(filepath.Join(a.temp, dir))
		if err != nil || len(entries) != 1 || entries[0].Name() != "file" {
			a.T.Errorf("%s holds %v: %v", dir, entries, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(a.temp, "metapipe-*"))
	if err != nil || len(left) != 2 {
		a.T.Errorf("a run directory is left: %v, %v", left, err)
	}
	a.verdicts++
}
