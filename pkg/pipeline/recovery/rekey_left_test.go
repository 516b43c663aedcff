package recovery_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/store"
)

// leaked is a world whose only key is a new one, and a rekeyer with it.
func leaked(w *pipelinetest.Setup, customers ...pipeline.Customer) *recovery.Rekeyer {
	w.T.Helper()
	w.Sealer = pipelinetest.Must[*store.Sealer](w.T)(store.NewSealer(store.NewKey()))
	return &recovery.Rekeyer{Store: w.Store, First: w.Sealer, All: w.Sealer, Now: w.Tick, Customers: customers}
}

func restorer(w *pipelinetest.Setup) *recovery.Restorer {
	return &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
}

// registrations are the states of what rekey lists below the registrations.
func registrations(r recovery.RekeyResult) string {
	var all []string
	for _, stored := range r.Records {
		if strings.HasPrefix(stored.Key, registry.Registrations) {
			all = append(all, string(stored.State))
		}
	}
	return strings.Join(all, " ")
}

// TestLeakedKeyFormerPath: accepting one target registers the former paths again, too, so
// that nothing of the customer stays under the old key.
func TestLeakedKeyFormerPath(t *testing.T) {
	t.Parallel()
	w, _ := rotated(t)
	former := w.Current
	former.Path = "former"
	if err := registry.Create(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), former, 1, w.Now); err != nil {
		t.Fatal(err)
	}
	r := leaked(w, w.Current)
	if got := registrations(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), false))); got != "no-key no-key" {
		t.Fatalf("registrations %q", got)
	}
	in := pipeline.TargetInput{Customer: w.Current, Environment: "staging", Actor: "operator"}
	state := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 1}, Resources: 2}
	if err := restorer(w).Accept(context.Background(), in, recovery.Acceptable{State: state, Reason: "the key has leaked"}); err != nil {
		t.Fatal(err)
	}
	if got := registrations(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), false))); got != "" {
		t.Errorf("registrations %q", got)
	}
	w.Current.Siblings = []pipeline.Sibling{{Name: "other", Path: "former"}}
	r = leaked(w, w.Current)
	if err := registry.RegisterAgain(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Tick()); err != nil {
		t.Fatal(err)
	}
	if got := registrations(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), false))); got != "no-key" {
		t.Errorf("a path of another customer was registered again: %q", got)
	}
}

// TestLeakedKeyGoneCustomer: a registration that no customer has any more needs no key, and
// still keeps other repositories from the name; its last apply is accepted by hand.
func TestLeakedKeyGoneCustomer(t *testing.T) {
	t.Parallel()
	w, _ := rotated(t)
	gone := w.Current
	gone.File = ""
	r := leaked(w)
	result := pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), false))
	if got := registrations(result); got != "unused" || states(result) != "no-key" || result.Removable {
		t.Fatalf("%+v", result)
	}
	in := pipeline.TargetInput{Customer: gone, Environment: "staging", Actor: "operator"}
	if err := restorer(w).AcceptLeft(context.Background(), in, " "); err == nil {
		t.Error("accepted without a reason")
	}
	if err := restorer(w).AcceptLeft(context.Background(), in, "the key has leaked"); err != nil {
		t.Fatal(err)
	}
	var usage *pipeline.UsageError
	if err := restorer(w).AcceptLeft(context.Background(), in, "again"); !errors.As(err, &usage) {
		t.Errorf("a second time: %v", err)
	}
	if keys := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/applied/")); len(keys) > 0 {
		t.Errorf("left: %v", keys)
	}
	if got := states(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), false))); got != "" {
		t.Errorf("applies %q", got)
	}
	left, err := w.Ledger().LastState(context.Background(), pipeline.Target{Customer: "acme", Environment: "staging"})
	if err != nil || left == nil || left.Event != ledger.Accepted || left.State == nil || left.State.Lineage == "" {
		t.Errorf("the ledger remembers %+v %v", left, err)
	}
	w.Current.RepositoryID++
	var owner *pipeline.OwnerError
	if err := registry.CheckOwner(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Current.Name.In("staging")); !errors.As(err, &owner) {
		t.Errorf("another repository gets the name: %v", err)
	}
}

// TestAcceptLeftReadable: a record that a key opens stays.
func TestAcceptLeftReadable(t *testing.T) {
	t.Parallel()
	w, _ := rotated(t)
	var usage *pipeline.UsageError
	if err := restorer(w).AcceptLeft(context.Background(), pipeline.TargetInput{Customer: w.Current, Environment: "staging"}, "why not"); !errors.As(err, &usage) {
		t.Errorf("accepted: %v", err)
	}
}

// TestRenameRecordedAgain: the operator records a rename under a new key, and what the old
// record claims besides is not taken over; the old name stays refused.
func TestRenameRecordedAgain(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	r := leaked(w, w.Current)
	if err := registry.RegisterAgain(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Tick()); err != nil {
		t.Fatal(err)
	}
	again := pipelinetest.Must[registry.RenameResult](t)(w.Renamer().Run(context.Background(), w.RenameInput("acme", "store"), false))
	if len(again.Moves) != 1 || again.Moves[0].What != registry.MoveRename || again.Applied {
		t.Errorf("to do: %+v", again)
	}
	in := w.RenameInput("acme", "store")
	in.Kept = &pipeline.Customer{Name: "acme", File: "customers/acme.yml", RepositoryID: in.New.RepositoryID, Path: "else"}
	var usage *pipeline.UsageError
	if _, err := w.Renamer().Run(context.Background(), in, true); !errors.As(err, &usage) {
		t.Errorf("the old name is a customer's again: %v", err)
	}
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	if got := registrations(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), false))); got != "" {
		t.Errorf("left: %q", got)
	}
	if to, err := registry.RenamedTo(context.Background(), w.Store, w.Sealer, "acme"); err != nil || to != "store" {
		t.Errorf("acme is %q: %v", to, err)
	}
	w.AcceptLedgers("store")
	w.WantNamed("store", "acme")
}
