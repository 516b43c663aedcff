package attack

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store"
)

// rotate puts a new key before the one that has sealed everything so far.
func (a *attempt) rotate(_ []string) { a.Key = store.NewKey().Secret() + "\n" + a.Key }

// notRekeyed lets the operator seal again what is under the older key: not-rekeyed TEXT...
// The command fails and names the record; nothing is written below applied/, and the older
// key alone, which is the one of the record, is not declared to be of no use.
func (a *attempt) notRekeyed(args []string) {
	a.T.Helper()
	records := func() []string {
		return fixture.Must(filepath.Glob(filepath.Join(a.Store, "*", "*", "applied", "*")))(a.T)
	}
	before := records()
	end := a.job(a.r.Run).Do(1, "rekey", "--apply")
	end.Says(a.T, args...)
	if after := records(); !slices.Equal(before, after) {
		a.T.Errorf("rekey has written %v, there was %v", after, before)
	}
	if strings.Contains(end.Log, "can go") {
		a.T.Errorf("rekey declares the older keys to be of no use:\n%s", end.Log)
	}
	a.verdicts++
}

// moveStored moves a folder of the store: move-stored FROM TO.
func (a *attempt) moveStored(args []string) {
	to := filepath.Join(a.Store, filepath.FromSlash(args[1]))
	fixture.Check(a.T, os.MkdirAll(filepath.Dir(to), 0o700))
	fixture.Check(a.T, os.Rename(a.stored(args[0])[0], to))
}
