package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/store"
)

// wantRejectedAsRenamed asks for a deployment under the new name and wants an answer, and no target.
func wantRejectedAsRenamed(w *pipelinetest.Setup, old string) {
	w.T.Helper()
	request, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonRenamed || !strings.Contains(err.Error(), old+".yml") || !strings.Contains(err.Error(), `"`+old+`"`) {
		w.T.Fatalf("got %v", err)
	}
	if len(request.Targets) != 0 || len(request.Problems) != 1 || strings.Contains(request.Problems.Error(), "acme") || !strings.Contains(request.Problems.Error(), "nothing was applied") {
		w.T.Errorf("the customer reads %v of %v", request.Problems, request.Targets)
	}
}

// TestRenamedCustomer: what is registered under another name is not planned, also where
// the registration is missing, as with customers of earlier versions.
func TestRenamedCustomer(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*pipelinetest.Setup){
		"registered":         func(*pipelinetest.Setup) {},
		"before the records": (*pipelinetest.Setup).DeleteNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			prepare(w)
			w.Current.Name = "store"
			wantRejectedAsRenamed(w, "acme")
			wantRejectedAsRenamed(w, "acme")
			w.Current.Name = "acme"
			pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			if keys := w.Registrations(); len(keys) != 1 {
				t.Errorf("registered: %v", keys)
			}
		})
	}
}

// TestRegistrationOfOthers: another path, and another repository, are other customers.
func TestRegistrationOfOthers(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	other := w.Current
	other.Name, other.Path = "other", "deploy"
	for range 2 {
		if err := w.Fetcher().Register(context.Background(), other); err != nil {
			t.Fatal(err)
		}
	}
	other.Name, other.RepositoryID, other.Path = "third", 8, "infra"
	if err := w.Fetcher().Register(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	if keys := w.Registrations(); len(keys) != 3 {
		t.Errorf("registered: %v", keys)
	}
}

// TestForgedRegistration: a record that was changed, moved or made without the key
// registers no one, and lets no renamed customer plan.
func TestForgedRegistration(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(w *pipelinetest.Setup, key string){
		"edited": func(w *pipelinetest.Setup, key string) {
			w.Write(key, []byte(strings.Replace(string(w.Read(key)), "acme", "store", 1)))
		},
		"made up": func(w *pipelinetest.Setup, key string) {
			w.Write(key, []byte(`{"record": {"customer": "store"}, "seal": "AAAA"}`))
		},
		"no seal": func(w *pipelinetest.Setup, key string) { w.Write(key, []byte(`{"record": {"customer": "store"}}`)) },
		"empty":   func(w *pipelinetest.Setup, key string) { w.Write(key, nil) },
		"laid behind": func(w *pipelinetest.Setup, key string) {
			w.Create(strings.Replace(key, "000001", "000002", 1), `{"record": {}, "seal": "AA=="}`)
		},
		"copied": func(w *pipelinetest.Setup, key string) {
			w.Create(strings.Replace(key, "000001", "000002", 1), string(w.Read(key)))
		},
		"stray": func(w *pipelinetest.Setup, key string) {
			w.Create(strings.Replace(key, "000001", "000009", 1), string(w.Read(key)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			forge(w, w.Registrations()[0])
			for _, customer := range []pipeline.CustomerName{"store", "acme"} {
				w.Current.Name = customer
				_, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))
				pipelinetest.WantRefused(t, "fetch-vars of "+string(customer), err, pipeline.ReasonTampered)
				pipelinetest.WantRefused(t, "drift of "+string(customer), registry.CheckRegistered(context.Background(), w.Store, w.Sealer, w.Current), pipeline.ReasonTampered)
			}
		})
	}
}

// TestEvidenceThatWasChanged: without the registration, an edited record of the last apply
// does not make a renamed customer new.
func TestEvidenceThatWasChanged(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.DeleteNames()
	for _, key := range pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/applied/")) {
		if strings.HasSuffix(key, ".json") {
			w.Write(key, []byte(strings.Replace(string(w.Read(key)), `"repository_id": 7`, `"repository_id": 8`, 1)))
		}
	}
	w.Current.Name = "store"
	_, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))
	pipelinetest.WantRefused(t, "fetch-vars", err, pipeline.ReasonTampered)
}

// TestRegistrationUnderALostKey: it is written again under the new key, and a renamed
// customer does not pass by it.
func TestRegistrationUnderALostKey(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.Now = w.Now.Add(2 * time.Hour) // no order is asked for
	w.Sealer = pipelinetest.Must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
	w.Current.Name = "store"
	wantRejectedAsRenamed(w, "acme")
	w.Current.Name = "acme"
	w.AcceptLedgers("acme")
	for range 2 {
		pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	}
	if keys := w.Registrations(); len(keys) != 2 {
		t.Errorf("registered: %v", keys)
	}
	w.DeleteNames()
	w.Current.Name = "store"
	_, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))
	pipelinetest.WantRefused(t, "without a registration", err, pipeline.ReasonUnknownKey)
}

// TestPlanOfARenamedCustomer: a request that was accepted under the name before is neither
// planned nor applied once the store knows another one.
func TestPlanOfARenamedCustomer(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	key := w.Registrations()[0]
	w.Create(strings.Replace(key, "000001", "000002", 1), `{"record": {"repository_id": 7, "path": "infra", "customer": "store"}, "seal": "AA=="}`)
	_, err := w.Plan(request, "staging")
	pipelinetest.WantRefused(t, "plan", err, pipeline.ReasonRenamed)
	wantInLedger(w, request, ledger.Refused, pipeline.ReasonRenamed)
	_, err = w.Apply(w.Target(request, "staging"))
	pipelinetest.WantRefused(t, "apply", err, pipeline.ReasonRenamed)
	wantInLedger(w, request, ledger.Refused, pipeline.ReasonRenamed)
	_, err = w.Plan(request, "production")
	pipelinetest.WantRefused(t, "another environment", err, pipeline.ReasonRenamed)
	_, err = w.Plan(request, "elsewhere")
	pipelinetest.WantRefused(t, "an environment of no request", err, pipeline.ReasonOtherEnvironment)
	if keys := pipelinetest.Must[[]string](t)(w.Store.List(t.Context(), "acme/elsewhere/")); len(keys) != 0 {
		t.Errorf("a mistake in the call is recorded: %v", keys)
	}
}

// TestPlanOfACustomerThatHasLeft: the file may change between a request and its plan.
func TestPlanOfACustomerThatHasLeft(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	w.Current.Offboarded = true
	if _, err := w.Plan(request, "staging"); err == nil {
		t.Fatal("it was planned")
	}
	wantInLedger(w, request, ledger.Rejected, pipeline.ReasonUnknownCustomer)
}

// wantInLedger wants the last entry of acme/staging to say why the request was refused.
func wantInLedger(w *pipelinetest.Setup, request pipeline.Request, event ledger.Event, reason pipeline.Reason) ledger.Entry {
	w.T.Helper()
	e := w.LastEvent(pipeline.Target{Customer: "acme", Environment: "staging"})
	if e.Event != event || e.Reason != reason || e.Request != request.ID || e.Commit != request.Commit || e.Message == "" {
		w.T.Errorf("ledger: %+v", e)
	}
	return e
}

// TestForgedNameOfAPlan: a job has no key of the fleet. What a writer of the store claims about
// the name of a customer refuses a plan; it is no fact, and nothing is to be moved for it.
func TestForgedNameOfAPlan(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	registration := func(w *pipelinetest.Setup) string { return registry.RegistrationKey(w.Current, 2) }
	rename := func(name string) func(*pipelinetest.Setup) string {
		return func(*pipelinetest.Setup) string { return pipelinetest.Renames + name + "/000001.json" }
	}
	for name, c := range map[string]struct {
		key  func(*pipelinetest.Setup) string
		body string
	}{
		"a registration": {registration, `"path": "infra", "customer": "crm"`},
		"a rename":       {rename("acme"), `"path": "infra", "from": "acme", "to": "crm"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			key := c.key(w)
			w.Create(key, `{"record": {"repository_id": 7, `+c.body+`, "at": "2098-05-01T00:00:00Z"}, "seal": "BBBB"}`)
			_, err := w.Plan(request, "staging")
			pipelinetest.WantRefused(t, "plan", err, pipeline.ReasonRenamed)
			for _, text := range []string{"an unverified record (" + key + `) claims that path "infra"`, `is customer "crm"`, "find out who wrote " + key, "`metapipe drift --customer acme` verifies it"} {
				if !pipelinetest.ContainsAll(err.Error(), text) {
					t.Errorf("no %s in: %v", text, err)
				}
			}
			var refused *pipeline.RefusedError
			if pipelinetest.ContainsAll(err.Error(), "is registered as") || pipelinetest.ContainsAll(err.Error(), "customer rename") || !errors.As(err, &refused) || !pipelinetest.ContainsAll(refused.Message, "a record that was not verified claims") {
				t.Errorf("shown as a fact: %v", err)
			}
			pipelinetest.WantRefused(t, "what drift says", registry.CheckRegistered(ctx, w.Store, w.Sealer, w.Current), pipeline.ReasonTampered)
		})
	}
}

// TestForgedRenameOfAnotherRepository: what a writer of the store lays below another repository says nothing of this
// one, and who looks for a name alone does not believe it.
func TestForgedRenameOfAnotherRepository(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	genuine := w.Read(pipelinetest.Renames + "acme/000001.json")
	w.Create("_metapipe/customers/8/renamed/store/000001.json", `{"record": {"repository_id": 8, "path": "infra", "from": "store", "to": "evil", "at": "2098-05-01T00:00:00Z"}, "seal": "AA=="}`)
	w.Create("_metapipe/customers/8/renamed/acme/000001.json", string(genuine))
	w.WantNamed("store", "acme")
	for _, name := range []pipeline.CustomerName{"acme", "store"} {
		_, err := registry.RenamedTo(t.Context(), w.Store, w.Sealer, name)
		pipelinetest.WantRefused(t, "the new name of "+string(name), err, pipeline.ReasonTampered)
	}
}
