package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// atPath sends a request of the customer of a setup from another path.
func atPath(w *pipelinetest.Setup, path string) (pipeline.Request, error) {
	w.T.Helper()
	w.Current.Path, w.Current.File = path, "customers/acme.yml"
	a := w.Dispatch(w.Hub.Commit(fmt.Sprintf("staging %d\nproduction two\n", w.LastRun())), "push")
	a.Path = path
	a.ID = a.OwnID()
	return w.Send(a)
}

// wantFormer wants a refusal that names both paths.
func wantFormer(t *testing.T, what string, err error, texts ...string) {
	t.Helper()
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) || renamed.Former == "" {
		t.Errorf("%s: %v", what, err)
		return
	}
	pipelinetest.WantRefused(t, what, err, pipeline.ReasonRenamed)
	var refused *pipeline.RefusedError
	if errors.As(err, &refused); pipelinetest.ContainsAll(refused.Message+refused.Next, `"infra"`) || pipelinetest.ContainsAll(refused.Message+refused.Next, "store") {
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
	w := pipelinetest.New(t)
	w.ApplyOnce()
	request := pipelinetest.Must[pipeline.Request](t)(atPath(w, "deploy"))
	if _, err := w.Plan(request, "staging"); err != nil {
		t.Fatalf("while the former path is free: %v", err)
	}
	w.Current.Siblings = []pipeline.Sibling{{Name: "store", Path: "infra"}}
	names := []string{`customer "store"`, "acme/staging", "give it a name and a path that no customer of the repository has had"}
	_, err := w.Apply(w.Target(request, "staging"))
	wantFormer(t, "apply", err, names...)
	w.Report(request, true)
	request = pipelinetest.Must[pipeline.Request](t)(atPath(w, "deploy"))
	_, err = w.Plan(request, "staging")
	wantFormer(t, "plan", err, names...)
	w.Report(request, true)
	if w.Engine.Applies != 1 {
		t.Errorf("%d applies", w.Engine.Applies)
	}
	wantFormer(t, "without a key", registry.CheckOwner(ctx, record.Records{Store: w.Store}, w.Current, w.Current.Name.In("staging")), names...)
	restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Engine: w.Renamer().Engine, Now: w.Tick}
	in := w.Target(pipeline.Request{}, "staging")
	_, err = restorer.Restore(ctx, in, recovery.StateCopy{File: "old.tfstate"})
	wantFormer(t, "restore", err, names...)
	wantFormer(t, "accept", restorer.Accept(ctx, in, recovery.Acceptable{Reason: "by hand"}), names...)
	w.Current.Name = "cog"
	wantFormer(t, "rename", w.Rename("acme", "cog"), `customer "store"`)
	w.Current.Name = "acme"
	w.Current.Siblings = []pipeline.Sibling{{Name: "store", Path: "other"}}
	if _, err = w.Plan(pipelinetest.Must[pipeline.Request](t)(atPath(w, "deploy")), "staging"); err != nil {
		t.Errorf("beside a customer of a third path: %v", err)
	}
}

// TestFormerPathOfFailedApplies: so it is for targets that failed applies alone have changed.
func TestFormerPathOfFailedApplies(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.DeleteAll("acme/staging/applied/")
	wantFormer(t, "register", register(w, placed(w, "acme", "deploy"), placed(w, "store", "infra")), `customer "store"`)
	if err := register(w, placed(w, "acme", "deploy")); err != nil {
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
			w := pipelinetest.New(t)
			w.ApplyOnce()
			w.DeleteAll("acme/staging/applied/")
			if gone {
				w.DeleteAll("acme/requests/")
			}
			request := pipelinetest.Must[pipeline.Request](t)(atPath(w, "deploy"))
			if _, err := w.Plan(request, "staging"); err != nil {
				t.Fatalf("while the former path is free: %v", err)
			}
			w.Current.Siblings = []pipeline.Sibling{{Name: "store", Path: "infra"}}
			_, err := w.Apply(w.Target(request, "staging"))
			wantFormer(t, "apply", err, `customer "store"`)
			w.Report(request, true)
			request = pipelinetest.Must[pipeline.Request](t)(atPath(w, "deploy"))
			_, err = w.Plan(request, "staging")
			wantFormer(t, "plan", err, `customer "store"`, "acme/staging was changed last from path")
			if claimed := pipelinetest.ContainsAll(err.Error(), "an unverified record (_metapipe/customers/7/"); claimed != gone {
				t.Errorf("shown as a claim: %t, in: %v", claimed, err)
			}
			if w.Engine.Applies != 1 {
				t.Errorf("%d applies", w.Engine.Applies)
			}
			err = registry.CheckOwner(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Current.Name.In("staging"))
			wantFormer(t, "with the key of the fleet", err, `customer "store"`)
			if pipelinetest.ContainsAll(err.Error(), "unverified") {
				t.Errorf("what was verified is shown as a claim: %v", err)
			}
			w.Current.Siblings = []pipeline.Sibling{{Name: "store", Path: "other"}}
			if err := registry.CheckOwner(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Current.Name.In("staging")); err != nil {
				t.Errorf("beside a customer of a third path: %v", err)
			}
		})
	}
}

// TestRequestOfAFormerPath: a request is of the path that it was accepted for.
func TestRequestOfAFormerPath(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	w.Current.Path = "deploy"
	_, err := w.Plan(request, "staging")
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
	for name, forget := range map[string]func(*pipelinetest.Setup){
		"with the record of an apply":  func(*pipelinetest.Setup) {},
		"failed applies alone":         func(w *pipelinetest.Setup) { w.DeleteAll("acme/staging/applied/") },
		"the record names no path":     dropRecordedPath,
		"the registration was removed": (*pipelinetest.Setup).DeleteNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			forget(w)
			left := func(path string) pipeline.Customer {
				c := placed(w, "acme", path)
				c.Offboarded = true
				return c
			}
			wantFormer(t, "a new path", register(w, left("deploy")), "customers/acme.yml, which is offboarded", "`path: infra`", "set `offboarded: false`")
			if len(w.Registrations()) > 1 {
				t.Errorf("registered: %v", w.Registrations())
			}
			for _, path := range []string{"infra", "deploy"} {
				if path == "deploy" {
					if err := register(w, placed(w, "acme", path)); err != nil {
						t.Fatal(err)
					}
				}
				if err := register(w, left(path)); err != nil {
					t.Errorf("at %s: %v", path, err)
				}
				if err := registry.CheckOwner(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), left(path), left(path).Name.In("staging")); err != nil {
					t.Errorf("plan at %s: %v", path, err)
				}
			}
		})
	}
	w := pipelinetest.New(t)
	w.ApplyOnce()
	c := placed(w, "acme", "deploy")
	c.Offboarded = true
	for what, s := range map[string]record.Records{"with a key": pipelinetest.RecordsOf(w.Store, w.Sealer), "without a key": {Store: w.Store}} {
		wantFormer(t, what, registry.CheckOwner(ctx, s, c, c.Name.In("staging")), "acme/staging was changed last from path")
	}
}

// dropRecordedPath makes the record of the last apply one of an earlier version.
func dropRecordedPath(w *pipelinetest.Setup) {
	w.T.Helper()
	ctx, s := context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer)
	last := pipelinetest.Must[record.Opened](w.T)(record.OpenLastApply(ctx, s, pipeline.Target{Customer: "acme", Environment: "staging"}))
	w.DeleteAll("acme/staging/applied/")
	last.Record.Path = ""
	key := record.LastApplyKey(pipeline.Target{Customer: "acme", Environment: "staging"}, last.Record.At, last.Record.Receipt.Request)
	if err := last.Record.Seal(ctx, s, key, last.Variables); err != nil {
		w.T.Fatal(err)
	}
}

// TestOffboardedPush: an offboarded customer that pushes gets a final status with a plain
// sentence. It is not registered, and a request without a proved origin gets no answer.
func TestOffboardedPush(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Current.Offboarded, w.Current.File = true, "customers/acme.yml"
	a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
	forged := w.Claims(a)
	forged.RepositoryID = 8
	var rejected *pipeline.RejectedError
	if request, err := w.Fetcher().Run(context.Background(), w.FetchInput(a, forged)); !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonUnverified || request.ID != "" {
		t.Errorf("forged: %+v %v", request, err)
	}
	for _, event := range []string{"push", "pull_request"} {
		request, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), event))
		if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonOffboarded || !pipelinetest.ContainsAll(err.Error(), "customer acme is offboarded (customers/acme.yml)", "remove `offboarded` from the file") {
			t.Fatalf("%s: %v", event, err)
		}
		if text := request.Problems.Error(); !pipelinetest.ContainsAll(text, "the service provider has ended the deployments") || pipelinetest.ContainsAll(text, "customers/") {
			t.Errorf("%s: the customer reads: %s", event, text)
		}
		w.Report(request, true)
		if status := w.Hub.StatusOf[string(request.Commit)+" infra/terraform-deploy"]; status.State != pipeline.StatusFailure {
			t.Errorf("%s: the status is %+v", event, status)
		}
	}
	if keys := w.Registrations(); len(keys) != 0 {
		t.Errorf("registered: %v", keys)
	}
}

// TestFormerPathWithoutKey: a plan on a laptop has no key, and a target that failed applies
// alone have changed has no record of an apply. What the ledger, the request and the
// registrations claim refuses it all the same.
func TestFormerPathWithoutKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, gone := range map[string]bool{"the request is there": false, "the request is gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			w.DeleteAll("acme/staging/applied/")
			if gone {
				w.DeleteAll("acme/requests/")
			}
			pipelinetest.Must[pipeline.Request](t)(atPath(w, "deploy"))
			laptop := record.Records{Store: w.Store}
			if err := registry.CheckOwner(ctx, laptop, w.Current, w.Current.Name.In("staging")); err != nil {
				t.Errorf("while the former path is free: %v", err)
			}
			w.Current.Siblings = []pipeline.Sibling{{Name: "store", Path: "infra"}}
			wantFormer(t, "without a key", registry.CheckOwner(ctx, laptop, w.Current, w.Current.Name.In("staging")), `customer "store"`)
			if err := registry.CheckOwner(ctx, laptop, w.Current, w.Current.Name.In("production")); err != nil {
				t.Errorf("a target without a history: %v", err)
			}
			w.Current.RepositoryID++
			var owner *pipeline.OwnerError
			if err := registry.CheckOwner(ctx, laptop, w.Current, w.Current.Name.In("staging")); !errors.As(err, &owner) || !owner.Claimed {
				t.Errorf("another repository: %v", err)
			}
		})
	}
}

// TestFormerPathOfALaterFailure: an apply from another path has failed after the one that went
// well, or has ended without a word. What it has built may be there: when its path becomes
// another customer's, all commands refuse, also where the path of the good apply is free. An
// apply that goes well makes its own path the only one.
func TestFormerPathOfALaterFailure(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	request := pipelinetest.Must[pipeline.Request](t)(atPath(w, "deploy"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Engine.ApplyErr = &pipeline.FailedError{Message: "half of it"}
	if _, err := w.Apply(w.Target(request, "staging")); err == nil {
		t.Fatal("applied")
	}
	w.Engine.ApplyErr = nil
	w.Report(request, true)
	w.Current.Siblings = []pipeline.Sibling{{Name: "store", Path: "deploy"}}
	w.Current.Path = "third"
	for what, s := range map[string]record.Records{"with a key": pipelinetest.RecordsOf(w.Store, w.Sealer), "without a key": {Store: w.Store}} {
		err := registry.CheckOwner(ctx, s, w.Current, w.Current.Name.In("staging"))
		var renamed *pipeline.RenamedError
		if !errors.As(err, &renamed) || renamed.Former != "deploy" || renamed.Old != "store" {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.Current.Siblings = nil
	request = pipelinetest.Must[pipeline.Request](t)(atPath(w, "third"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	w.Report(request, true)
	w.Current.Siblings = []pipeline.Sibling{{Name: "store", Path: "deploy"}}
	if err := registry.CheckOwner(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Current.Name.In("staging")); err != nil {
		t.Errorf("after an apply from a third path: %v", err)
	}
	last := pipelinetest.Must[record.Opened](t)(record.OpenLastApply(ctx, pipelinetest.RecordsOf(w.Store, w.Sealer), pipeline.Target{Customer: "acme", Environment: "staging"}))
	if last.Record.Path != "third" || last.Record.FailedPaths != nil {
		t.Errorf("the record names %q and %q", last.Record.Path, last.Record.FailedPaths)
	}
}
