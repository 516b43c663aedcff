package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// declare sets the environments of metapipe.yml, all of them for main and without a gate.
func declare(w *pipelinetest.Setup, names ...pipeline.Environment) {
	w.Current.Manager.Environments = nil
	for _, name := range names {
		w.Current.Manager.Environments = append(w.Current.Manager.Environments, pipeline.EnvironmentRule{Name: name, Branches: []string{"main"}})
	}
}

// ask sends a request for environments.
func ask(w *pipelinetest.Setup, event string, names ...string) (pipeline.Request, error) {
	w.T.Helper()
	return w.Send(w.Dispatch(w.Hub.Commit(strings.Join(names, " one\n")+" one\n"), event))
}

// wantFormerEnvironment wants a rejection that names the targets which were left.
func wantFormerEnvironment(t *testing.T, what string, request pipeline.Request, err error, left ...string) {
	t.Helper()
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonEnvironmentRenamed || len(request.Targets) > 0 {
		t.Errorf("%s: targets %v, %v", what, request.Targets, err)
		return
	}
	for _, text := range append(left, "metapipe.yml does not declare", "metapipe state accept --customer acme --environment stage") {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: no %q in: %v", what, text, err)
		}
	}
}

// TestEnvironmentRenamed: the first plan of an environment is refused while metapipe.yml does
// not declare another one any more that is applied. Each way out lets it go on.
func TestEnvironmentRenamed(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]func(w *pipelinetest.Setup){
		"the old name back": func(w *pipelinetest.Setup) { declare(w, "stage", "staging", "production") },
		"the new one accepted": func(w *pipelinetest.Setup) {
			restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
			if err := restorer.Accept(context.Background(), w.Target(pipeline.Request{}, "stage"), recovery.Acceptable{Reason: "beside staging"}); err != nil {
				w.T.Fatal(err)
			}
		},
		"the old one accepted as gone": func(w *pipelinetest.Setup) {
			restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
			if err := restorer.Accept(context.Background(), w.Target(pipeline.Request{}, "staging"), recovery.Acceptable{Reason: "destroyed by hand"}); err != nil {
				w.T.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			declare(w, "stage", "production")
			request, err := ask(w, "push", "stage")
			wantFormerEnvironment(t, "a push", request, err, "acme/staging")
			out(w)
			request = pipelinetest.Must[pipeline.Request](t)(ask(w, "push", "stage"))
			if _, err := w.Plan(request, "stage"); err != nil {
				t.Errorf("plan: %v", err)
			}
		})
	}
}

// TestEnvironmentNotRenamed: an environment that metapipe.yml still declares blocks no new one,
// and one that was never applied blocks none either. Applied ones go on, whatever was left.
func TestEnvironmentNotRenamed(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	declare(w, "staging", "stage", "production")
	w.Current.Environments = []pipeline.Environment{"stage", "production"}
	request, err := ask(w, "push", "stage")
	if err != nil || !slices.Equal(request.Environments(), []pipeline.Environment{"stage"}) {
		t.Errorf("removed by the customer and from its file: %v, %v", request.Targets, err)
	}
	w.Current.Environments = nil
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "stage"))
	declare(w, "staging", "next") // stage was planned, and never applied; production never was
	if request, err := ask(w, "push", "next"); err != nil {
		t.Errorf("a plan alone was left: %v, %v", request.Targets, err)
	}
	declare(w, "production", "staging")
	request = pipelinetest.Must[pipeline.Request](t)(ask(w, "push", "staging"))
	if _, err := w.Plan(request, "staging"); err != nil {
		t.Errorf("an applied one: %v", err)
	}
}

// TestEnvironmentRenamedInDoubt: a record of the old environment that was changed, or is under
// a key that is gone, makes no renamed environment look new.
func TestEnvironmentRenamedInDoubt(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *pipelinetest.Setup){
		"changed":            func(w *pipelinetest.Setup) { w.SpoilApplied(".json") },
		"without the ledger": func(w *pipelinetest.Setup) { w.DeleteAll("acme/staging/ledger/") },
		"without the record": func(w *pipelinetest.Setup) { w.DeleteAll("acme/staging/applied/") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			spoil(w)
			declare(w, "stage", "production")
			for what, s := range map[string]record.Records{"with a key": pipelinetest.RecordsOf(w.Store, w.Sealer), "without a key": {Store: w.Store}} {
				var renamed *pipeline.RenamedEnvironmentError
				if err := registry.CheckFirstPlan(context.Background(), s, w.Current, w.Current.Name.In("stage")); !errors.As(err, &renamed) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// TestLeftTargets: targets that are applied and that their customer may not use any more.
func TestLeftTargets(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.Current.File = "customers/acme.yml"
	left := func(s record.Records) string {
		found := registry.LeftTargets(context.Background(), s, []pipeline.Customer{w.Current})[0]
		if found.Err != nil {
			t.Fatal(found.Err)
		}
		var says []string
		for _, l := range found.Targets {
			says = append(says, l.String()+": "+w.Current.WhyLeft(l))
		}
		return strings.Join(says, "\n")
	}
	for name, step := range map[string]struct {
		declared, allowed []pipeline.Environment
		want              string
	}{
		"none":         {declared: []pipeline.Environment{"staging", "production"}},
		"not declared": {declared: []pipeline.Environment{"stage", "production"}, want: "acme/staging: metapipe.yml does not declare the environment any more"},
		"not allowed": {declared: []pipeline.Environment{"staging", "production"}, allowed: []pipeline.Environment{"production"},
			want: "acme/staging: customers/acme.yml does not allow the environment any more"},
	} {
		declare(w, step.declared...)
		w.Current.Environments = step.allowed
		for what, s := range map[string]record.Records{"with a key": pipelinetest.RecordsOf(w.Store, w.Sealer), "without a key": {Store: w.Store}} {
			if got := left(s); got != step.want {
				t.Errorf("%s, %s: %q, want %q", name, what, got, step.want)
			}
		}
	}
}

// TestStacksTurnedOn: the first plan of a named stack is refused while the customer's unnamed
// one is applied, since it would begin with an empty state. What nothing plans is in sight.
func TestStacksTurnedOn(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.Current.File = "customers/acme.yml"
	network := pipeline.Target{Customer: "acme", Environment: "staging", Stack: "network"}
	s := pipelinetest.RecordsOf(w.Store, w.Sealer)
	w.NameStacks("network", "hosts")
	err := registry.CheckFirstPlan(context.Background(), s, w.Current, network)
	var renamed *pipeline.RenamedEnvironmentError
	if !errors.As(err, &renamed) {
		t.Fatalf("the first plan of a stack: %v", err)
	}
	for _, text := range []string{"acme/staging/network was never applied", "does not declare the stack of acme/staging any more", "needs a file without `stacks`",
		"metapipe state accept --customer acme --environment staging --stack network --reason TEXT"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in: %v", text, err)
		}
	}
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Message, `stack "network" of environment "staging" is new`) {
		t.Errorf("what the customer reads: %+v", refused)
	}
	found := registry.LeftTargets(context.Background(), s, []pipeline.Customer{w.Current})[0]
	if found.Err != nil || len(found.Targets) != 1 || w.Current.WhyLeft(found.Targets[0]) != "metapipe.yml names stacks now, and the target has none" {
		t.Errorf("left: %v, %v", found.Targets, found.Err)
	}
	w.NameStacks()
	if err := registry.CheckFirstPlan(context.Background(), s, w.Current, w.Current.Name.In("production")); err != nil {
		t.Errorf("without stacks again: %v", err)
	}
}

// TestStoredTargets: the folders of targets, with and without a stack, and nothing else.
func TestStoredTargets(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	for _, key := range []string{"shop/staging/ledger/1.json", "shop/staging.network/ledger/1.json", "shop/requests/x.json", "shop/a.b.c/x", "shop/.x/x"} {
		w.Create(key, "x")
	}
	targets, err := registry.StoredTargets(context.Background(), w.Store, "shop")
	if got, want := fmt.Sprint(targets, err), "[shop/staging shop/staging/network] <nil>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
