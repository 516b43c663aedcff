package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// TestForgedNewestRegistration: without a record of an apply, no registration of the
// repository that asks is an answer to the one of another repository.
func TestForgedNewestRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	w.forget("acme/staging/applied/")
	eight := w.ofRepository8("acme")
	forged := eight
	forged.Path = "zzz"
	body := `{"record": {"repository_id": 8, "path": "zzz", "customer": "acme", "at": "2099-01-01T00:00:00Z"}, "seal": "AAAA"}`
	if err := w.store.Create(context.Background(), registry.RegistrationKey(forged, 1), strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	err := registry.CheckOwner(context.Background(), recordsOf(w.store, w.sealer), eight, "staging")
	wantRefused(t, "the forged owner", err, pipeline.ReasonOtherRepository)
}

// forge lays a registration of another repository for the name of the customer.
func (w *world) forge(repository int64) {
	w.t.Helper()
	forged := pipeline.Customer{Name: "acme", RepositoryID: repository, Path: "zzz"}
	w.lay(registry.RegistrationKey(forged, 1), fmt.Sprintf(`{"record": {"repository_id": %d, "path": "zzz", "customer": "acme", "at": "2099-01-01T00:00:00Z"}, "seal": "AAAA"}`, repository))
}

// TestForgedRegistrationOfAnother: failed applies alone have changed a target, and a writer of
// the store adds a registration of another repository. It does not keep the owner out, and
// where it is all that there is, the refusal does not show it as a fact.
func TestForgedRegistrationOfAnother(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.appliedOnce()
	w.forget("acme/staging/applied/")
	w.forge(9)
	if err := registry.CheckOwner(ctx, recordsOf(w.store, w.sealer), w.customer, "staging"); err != nil {
		t.Errorf("the owner is refused: %v", err)
	}
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging two\n"), "push")))
	if !slices.Equal(request.Owned, []pipeline.Environment{"staging"}) {
		t.Errorf("owned: %v", request.Owned)
	}
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
	w.report(request, true)

	w.forget("acme/staging/applied/")
	request.Owned = nil
	for what, err := range map[string]error{
		"a plan that fetch-vars did not ask for": registry.CheckTargetOwner(ctx, recordsOf(w.store, w.sealer), request.OwnerVerified("staging"), w.customer, "staging"),
		"no registration can be verified": func() error {
			w.forgetNames()
			w.forge(9)
			return registry.CheckOwner(ctx, recordsOf(w.store, w.sealer), w.customer, "staging")
		}(),
	} {
		wantRefused(t, what, err, pipeline.ReasonOtherRepository)
		if !contains(err.Error(), "an unverified registration claims", "is of repository id 9", "find out who wrote the objects below _metapipe/customers/9/") || contains(err.Error(), "the last apply of") || contains(err.Error(), "the provider's records say") {
			t.Errorf("%s: shown as a fact: %v", what, err)
		}
	}
}

// TestTakeOverOfFailedApplies: a target without a record of an apply is given to another
// repository as any other one, and only that one.
func TestTakeOverOfFailedApplies(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.appliedOnce()
	w.forget("acme/staging/applied/")
	eight, s := w.ofRepository8("acme"), recordsOf(w.store, w.sealer)
	seven := w.customer
	w.customer = eight
	restorer := &recovery.Restorer{Store: w.store, Sealer: w.sealer, Now: w.tick}
	wantRefused(t, "accept production, which has no history, without the id", restorer.Accept(ctx, w.target(pipeline.Request{}, "production"), recovery.Acceptable{Reason: "created again"}), pipeline.ReasonOtherRepository)
	given := map[pipeline.Environment]bool{}
	for _, env := range []pipeline.Environment{"", "staging", "production"} {
		if env != "" {
			in := w.target(pipeline.Request{}, env)
			state := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: w.engine.states[in.Backend.String()]}, Resources: 2}
			if err := restorer.Accept(ctx, in, recovery.Acceptable{State: state, Reason: "created again", RepositoryID: 8}); err != nil {
				t.Fatalf("accept %s: %v", env, err)
			}
			given[env] = true
		}
		for _, of := range []pipeline.Environment{"staging", "production"} {
			out, in := eight, seven
			if given[of] {
				out, in = seven, eight
			}
			if of == "staging" || given[of] { // production has no history before
				wantRefused(t, fmt.Sprintf("%d has %s after %q", out.RepositoryID, of, env), registry.CheckOwner(ctx, s, out, of), pipeline.ReasonOtherRepository)
			}
			if err := registry.CheckOwner(ctx, s, in, of); err != nil {
				t.Errorf("%d has not %s after %q: %v", in.RepositoryID, of, env, err)
			}
		}
	}
}
