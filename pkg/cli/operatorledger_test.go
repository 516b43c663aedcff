package cli

import (
	"bytes"
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestLedgerNamesTheOperator: an unlock and an acceptance stand in the ledger with who ran
// them. On a laptop that is the user of the machine, marked as unverified, whatever the
// variables of a run say; in Actions it is who started this attempt.
func TestLedgerNamesTheOperator(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Skip("this user has no name: ", err)
	}
	laptop := me.Username + "@" + hostname() + " (unverified)"
	scheduled := "GITHUB_EVENT_NAME=schedule"
	for args, event := range map[string]ledger.Event{
		"unlock --lock-id 7 --no-run":      ledger.Unlocked,
		"state accept --reason rebuilt-it": ledger.Accepted,
	} {
		for name, c := range map[string]struct {
			environ []string
			want    string
		}{
			"laptop":                {[]string{"GITHUB_ACTIONS=false", "GITHUB_ACTOR=somebody", "GITHUB_TRIGGERING_ACTOR=somebody"}, laptop},
			"laptop without a run":  {[]string{"GITHUB_ACTIONS="}, laptop},
			"run":                   {[]string{scheduled}, "robin"},
			"run that casey reruns": {[]string{scheduled, "GITHUB_TRIGGERING_ACTOR=casey"}, "casey"},
		} {
			t.Run(args+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := leftTarget(t, event == ledger.Unlocked)
				var out, complaints bytes.Buffer
				app := testApp(&out, &complaints, append(c.environ, "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "METAPIPE_STORE="+dir)...)
				app.Dir, app.Now = managerTree(t), time.Now
				if code := Main(t.Context(), append(strings.Fields(args), "--customer", "blog", "--environment", "staging"), app); code != ExitDone {
					t.Fatalf("exit code %d: %s", code, &complaints)
				}
				entries := ledgerOf(t, dir)
				last := entries[len(entries)-1]
				before := 1
				if event == ledger.Unlocked { // it is announced first
					before = 2
				}
				if len(entries) != before+1 || last.Event != event || last.Actor != c.want {
					t.Errorf("got %s by %q, want %s by %q, in %+v", last.Event, last.Actor, event, c.want, entries)
				}
			})
		}
	}
}

// leftTarget is a store with the state of blog/staging, which is not the one that the
// ledger knows, and the lock of a dead process.
func leftTarget(t *testing.T, locked bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	files := map[string]string{"terraform.tfstate": `{"version":4,"serial":3,"lineage":"x"}`}
	if locked {
		files[".terraform.tfstate.lock.info"] = `{"ID":"7","Operation":"OperationTypeApply","Who":"me@here","Created":"2020-01-02T03:04:05Z"}`
	}
	if err := os.MkdirAll(filepath.Join(dir, "blog", "staging"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "blog", "staging", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := store.NewDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := store.NewSealer(pipelinetest.Must[[]store.Key](t)(store.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))...)
	if err != nil {
		t.Fatal(err)
	}
	left := &pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "x", Serial: 9}, Resources: 1}
	if _, err := (ledger.Ledger{Records: record.Records{Store: objects, Sealer: sealer}, Now: time.Now}).Append(context.Background(), ledger.Entry{Event: ledger.Applied, Target: pipeline.Target{Customer: "blog", Environment: "staging"}, Actor: "dev", State: left}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ledgerOf(t *testing.T, dir string) []ledger.Entry {
	t.Helper()
	objects, err := store.NewDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, _, err := ledger.Ledger{Records: record.Records{Store: objects}}.Read(context.Background(), pipeline.Target{Customer: "blog", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
