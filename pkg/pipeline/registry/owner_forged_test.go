package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// TestForgedNewestRegistration: without a record of an apply, no registration of the
// repository that asks is an answer to the one of another repository.
func TestForgedNewestRegistration(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.DeleteAll("acme/staging/applied/")
	eight := ofRepository8(w, "acme")
	forged := eight
	forged.Path = "zzz"
	body := `{"record": {"repository_id": 8, "path": "zzz", "customer": "acme", "at": "2099-01-01T00:00:00Z"}, "seal": "AAAA"}`
	if err := w.Store.Create(context.Background(), registry.RegistrationKey(forged, 1), strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	err := registry.CheckOwner(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), eight, eight.Name.In("staging"))
	pipelinetest.WantRefused(t, "the forged owner", err, pipeline.ReasonOtherRepository)
}

// forge lays a registration of another repository for the name of the customer.
func forge(w *pipelinetest.Setup, repository int64) {
	w.T.Helper()
	forged := pipeline.Customer{Name: "acme", RepositoryID: repository, Path: "zzz"}
	w.Create(registry.RegistrationKey(forged, 1), fmt.Sprintf(`{"record": {"repository_id": %d, "path": "zzz", "customer": "acme", "at": "2099-01-01T00:00:00Z"}, "seal": "AAAA"}`, repository))
}

// TestForgedRegistrationOfAnother: failed applies alone have changed a target, and a writer of
// the store adds a registration of another repository. It does not keep the owner out, and
// where it is all that there is, the refusal does not show it as a fact.
func TestForgedRegistrationOfAnother(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.DeleteAll("acme/staging/applied/")
	forge(w, 9)
	if err := registry.CheckOwner(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Current.Name.In("staging")); err != nil {
		t.Errorf("the owner is refused: %v", err)
	}
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
	if len(request.Targets) != 1 || !request.Targets[0].OwnerVerified {
		t.Errorf("owned: %+v", request)
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	w.Report(request, true)

	w.DeleteAll("acme/staging/applied/")
	request.Targets[0].OwnerVerified = false
	for what, err := range map[string]error{
		"a plan that fetch-vars did not ask for": registry.CheckTargetOwner(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), request.Find(request.Customer.In("staging")).OwnerVerified, w.Current, w.Current.Name.In("staging")),
		"no registration can be verified": func() error {
			w.DeleteNames()
			forge(w, 9)
			return registry.CheckOwner(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Current.Name.In("staging"))
		}(),
	} {
		pipelinetest.WantRefused(t, what, err, pipeline.ReasonOtherRepository)
		if !pipelinetest.ContainsAll(err.Error(), "an unverified registration claims", "is of repository id 9", "find out who wrote the objects below _metapipe/customers/9/") || pipelinetest.ContainsAll(err.Error(), "the last apply of") || pipelinetest.ContainsAll(err.Error(), "the provider's records say") {
			t.Errorf("%s: shown as a fact: %v", what, err)
		}
	}
}

// TestTakeOverOfFailedApplies: a target without a record of an apply is given to another
// repository as any other one, and only that one.
func TestTakeOverOfFailedApplies(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.DeleteAll("acme/staging/applied/")
	eight, s := ofRepository8(w, "acme"), pipelinetest.RecordsOf(w.Store, w.Sealer)
	seven := w.Current
	w.Current = eight
	restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
	pipelinetest.WantRefused(t, "accept production, which has no history, without the id", restorer.Accept(ctx, w.Target(pipeline.Request{}, "production"), recovery.Acceptable{Reason: "created again"}), pipeline.ReasonOtherRepository)
	given := map[pipeline.Environment]bool{}
	for _, env := range []pipeline.Environment{"", "staging", "production"} {
		if env != "" {
			in := w.Target(pipeline.Request{}, env)
			state := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: map[pipeline.Environment]string{"staging": "l", "production": "p"}[env], Serial: w.Engine.States[in.Backend.String()]}, Resources: 2}
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
				pipelinetest.WantRefused(t, fmt.Sprintf("%d has %s after %q", out.RepositoryID, of, env), registry.CheckOwner(ctx, s, out, out.Name.In(of)), pipeline.ReasonOtherRepository)
			}
			if err := registry.CheckOwner(ctx, s, in, in.Name.In(of)); err != nil {
				t.Errorf("%d has not %s after %q: %v", in.RepositoryID, of, env, err)
			}
		}
	}
}
