package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// atPath sends a request of the customer of a world from another path.
func (w *world) atPath(path string) (pipeline.Request, error) {
	w.t.Helper()
	w.customer.Path, w.customer.File = path, "customers/acme.yml"
	a := w.ask(w.hub.commit(fmt.Sprintf("staging %d\nproduction two\n", w.run)), "push")
	a.Path = path
	a.ID = a.OwnID()
	return w.send(a)
}

// wantFormer wants a refusal that names both paths.
func wantFormer(t *testing.T, what string, err error, texts ...string) {
	t.Helper()
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) || renamed.Former == "" {
		t.Errorf("%s: %v", what, err)
		return
	}
	wantRefused(t, what, err, pipeline.ReasonRenamed)
	var refused *pipeline.RefusedError
	if errors.As(err, &refused); contains(refused.Message+refused.Next, `"infra"`) || contains(refused.Message+refused.Next, "store") {
		t.Errorf("%s: the customer reads of a path: %v", what, refused)
	}
	for _, text := range append(texts, `"infra"`) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: no %s in: %v", what, text, err)
		}
	}
}

// TestFormerPathOfAnother: a request was accepted from a new path, and then another customer
// gets the former one. What was built may be of that one: it is neither planned nor applied,
// nor scanned, restored, accepted or moved.
func TestFormerPathOfAnother(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.appliedOnce()
	request := must[pipeline.Request](t)(w.atPath("deploy"))
	if _, err := w.plan(request, "staging"); err != nil {
		t.Fatalf("while the former path is free: %v", err)
	}
	w.customer.Siblings = []pipeline.Sibling{{Name: "store", Path: "infra"}}
	names := []string{`customer "store"`, "acme/staging", "give it a name and a path that no customer of the repository has had"}
	_, err := w.apply(w.target(request, "staging"))
	wantFormer(t, "apply", err, names...)
	w.report(request, true)
	request = must[pipeline.Request](t)(w.atPath("deploy"))
	_, err = w.plan(request, "staging")
	wantFormer(t, "plan", err, names...)
	w.report(request, true)
	if w.engine.applies != 1 {
		t.Errorf("%d applies", w.engine.applies)
	}
	wantFormer(t, "without a key", registry.CheckOwner(ctx, record.Records{Store: w.store}, w.customer, "staging"), names...)
	restorer := &recovery.Restorer{Store: w.store, Sealer: w.sealer, Engine: w.renamer().Engine, Now: w.tick}
	in := w.target(pipeline.Request{}, "staging")
	_, err = restorer.Restore(ctx, in, recovery.StateCopy{File: "old.tfstate"})
	wantFormer(t, "restore", err, names...)
	wantFormer(t, "accept", restorer.Accept(ctx, in, recovery.Acceptable{Reason: "by hand"}), names...)
	w.customer.Name = "cog"
	wantFormer(t, "rename", w.rename("acme", "cog"), `customer "store"`)
	w.customer.Name = "acme"
	w.customer.Siblings = []pipeline.Sibling{{Name: "store", Path: "other"}}
	if _, err = w.plan(must[pipeline.Request](t)(w.atPath("deploy")), "staging"); err != nil {
		t.Errorf("beside a customer of a third path: %v", err)
	}
}

// TestFormerPathOfFailedApplies: so it is for targets that failed applies alone have changed.
func TestFormerPathOfFailedApplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	w.forget("acme/staging/applied/")
	wantFormer(t, "register", w.register(w.placed("acme", "deploy"), w.placed("store", "infra")), `customer "store"`)
	if err := w.register(w.placed("acme", "deploy")); err != nil {
		t.Errorf("while the former path is free: %v", err)
	}
}

// TestFormerPathOfFailedAppliesLater: so it is when the former path becomes another customer's
// after the new one was registered. The request of the last change names the path; where it is
// gone, the registrations do, and a job without their key shows no fact.
func TestFormerPathOfFailedAppliesLater(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"the request is there": false, "the request is gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			w := newWorld(t)
			w.appliedOnce()
			w.forget("acme/staging/applied/")
			if gone {
				w.forget("acme/requests/")
			}
			request := must[pipeline.Request](t)(w.atPath("deploy"))
			if _, err := w.plan(request, "staging"); err != nil {
				t.Fatalf("while the former path is free: %v", err)
			}
			w.customer.Siblings = []pipeline.Sibling{{Name: "store", Path: "infra"}}
			_, err := w.apply(w.target(request, "staging"))
			wantFormer(t, "apply", err, `customer "store"`)
			w.report(request, true)
			request = must[pipeline.Request](t)(w.atPath("deploy"))
			_, err = w.plan(request, "staging")
			wantFormer(t, "plan", err, `customer "store"`, "acme/staging was changed last from path")
			if claimed := contains(err.Error(), "an unverified record (_metapipe/customers/7/"); claimed != gone {
				t.Errorf("shown as a claim: %t, in: %v", claimed, err)
			}
			if w.engine.applies != 1 {
				t.Errorf("%d applies", w.engine.applies)
			}
			err = registry.CheckOwner(ctx, recordsOf(w.store, w.sealer), w.customer, "staging")
			wantFormer(t, "with the key of the fleet", err, `customer "store"`)
			if contains(err.Error(), "unverified") {
				t.Errorf("what was verified is shown as a claim: %v", err)
			}
			w.customer.Siblings = []pipeline.Sibling{{Name: "store", Path: "other"}}
			if err := registry.CheckOwner(ctx, recordsOf(w.store, w.sealer), w.customer, "staging"); err != nil {
				t.Errorf("beside a customer of a third path: %v", err)
			}
		})
	}
}

// TestRequestOfAFormerPath: a request is of the path that it was accepted for.
func TestRequestOfAFormerPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	w.customer.Path = "deploy"
	_, err := w.plan(request, "staging")
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "is of infra/variables.yml, but customer acme has deploy/variables.yml") {
		t.Errorf("planned: %v", err)
	}
}

// TestOffboardedPath: a customer that has left gets no new path, which would let a destroy
// end what another path has built. The former path, and one that was registered before the
// customer has left, are its own.
func TestOffboardedPath(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, forget := range map[string]func(*world){
		"with the record of an apply":  func(*world) {},
		"failed applies alone":         func(w *world) { w.forget("acme/staging/applied/") },
		"the record names no path":     (*world).forgetPath,
		"the registration was removed": (*world).forgetNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.appliedOnce()
			forget(w)
			left := func(path string) pipeline.Customer {
				c := w.placed("acme", path)
				c.Offboarded = true
				return c
			}
			wantFormer(t, "a new path", w.register(left("deploy")), "customers/acme.yml, which is offboarded", "`path: infra`", "set `offboarded: false`")
			if len(w.registrations()) > 1 {
				t.Errorf("registered: %v", w.registrations())
			}
			for _, path := range []string{"infra", "deploy"} {
				if path == "deploy" {
					if err := w.register(w.placed("acme", path)); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.register(left(path)); err != nil {
					t.Errorf("at %s: %v", path, err)
				}
				if err := registry.CheckOwner(ctx, recordsOf(w.store, w.sealer), left(path), "staging"); err != nil {
					t.Errorf("plan at %s: %v", path, err)
				}
			}
		})
	}
	w := newWorld(t)
	w.appliedOnce()
	c := w.placed("acme", "deploy")
	c.Offboarded = true
	for what, s := range map[string]record.Records{"with a key": recordsOf(w.store, w.sealer), "without a key": {Store: w.store}} {
		wantFormer(t, what, registry.CheckOwner(ctx, s, c, "staging"), "acme/staging was changed last from path")
	}
}

// forgetPath makes the record of the last apply one of an earlier version.
func (w *world) forgetPath() {
	w.t.Helper()
	ctx, s := context.Background(), recordsOf(w.store, w.sealer)
	last := must[record.Opened](w.t)(record.OpenLastApply(ctx, s, "acme", "staging"))
	w.forget("acme/staging/applied/")
	last.Record.Path = ""
	base := record.LastApplyBase("acme", "staging", last.Record.At, last.Record.Receipt.Request)
	if err := last.Record.Seal(ctx, s, base, last.Variables); err != nil {
		w.t.Fatal(err)
	}
}

// TestOffboardedPush: an offboarded customer that pushes gets a final status with a plain
// sentence. It is not registered, and a request without a proved origin gets no answer.
func TestOffboardedPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer.Offboarded, w.customer.File = true, "customers/acme.yml"
	a := w.ask(w.hub.commit(bothEnvironments), "push")
	forged := w.claims(a)
	forged.RepositoryID = 8
	var rejected *pipeline.RejectedError
	if request, err := w.fetcher().Run(context.Background(), w.fetchInput(a, forged)); !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonUnverified || request.ID != "" {
		t.Errorf("forged: %+v %v", request, err)
	}
	for _, event := range []string{"push", "pull_request"} {
		request, err := w.send(w.ask(w.hub.commit(bothEnvironments), event))
		if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonOffboarded || !contains(err.Error(), "customer acme is offboarded (customers/acme.yml)", "remove `offboarded` from the file") {
			t.Fatalf("%s: %v", event, err)
		}
		if text := request.Problems.Error(); !contains(text, "the service provider has ended the deployments") || contains(text, "customers/") {
			t.Errorf("%s: the customer reads: %s", event, text)
		}
		w.report(request, true)
		if status := w.hub.statuses[string(request.Commit)+" infra/terraform-deploy"]; status.State != pipeline.StatusFailure {
			t.Errorf("%s: the status is %+v", event, status)
		}
	}
	if keys := w.registrations(); len(keys) != 0 {
		t.Errorf("registered: %v", keys)
	}
}
