package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/store"
)

// rotate puts a new key before the one that has sealed everything so far.
func (a *attempt) rotate(_ []string) { a.key = store.NewKey().Secret() + "\n" + a.key }

// notRekeyed lets the operator seal again what is under the older key: not-rekeyed TEXT...
// The command fails and names the record; nothing is written below applied/, and the older
// key alone, which is the one of the record, is not declared to be of no use.
func (a *attempt) notRekeyed(args []string) {
	a.t.Helper()
	records := func() []string {
		return must(filepath.Glob(filepath.Join(a.store, "*", "*", "applied", "*")))(a.t)
	}
	before := records()
	end := a.job(a.r.run).do(1, "rekey", "--apply")
	end.says(a.t, args...)
	if after := records(); !slices.Equal(before, after) {
		a.t.Errorf("rekey has written %v, there was %v", after, before)
	}
	if strings.Contains(end.log, "can go") {
		a.t.Errorf("rekey declares the older keys to be of no use:\n%s", end.log)
	}
	a.verdicts++
}

// moveStored moves a folder of the store: move-stored FROM TO.
func (a *attempt) moveStored(args []string) {
	to := filepath.Join(a.store, filepath.FromSlash(args[1]))
	check(a.t, os.MkdirAll(filepath.Dir(to), 0o700))
	check(a.t, os.Rename(a.stored(args[0])[0], to))
}
