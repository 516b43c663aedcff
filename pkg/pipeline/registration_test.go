package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/store"
)

// applied brings a customer to where its states and the records of an apply are.
func (w *world) appliedOnce() {
	w.t.Helper()
	request := must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	must[deploy.TargetResult](w.t)(w.plan(request, "staging"))
	must[deploy.TargetResult](w.t)(w.apply(w.target(request, "staging")))
	w.report(request, true)
}

// registrations are the keys of the records about names.
func (w *world) registrations() []string {
	w.t.Helper()
	return must[[]string](w.t)(w.store.List(context.Background(), "_metapipe/customers/"))
}

func (w *world) lay(key, content string) {
	w.t.Helper()
	if err := w.store.Create(context.Background(), key, strings.NewReader(content)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) forgetNames() {
	w.t.Helper()
	for _, key := range w.registrations() {
		if err := w.store.Delete(context.Background(), key); err != nil {
			w.t.Fatal(err)
		}
	}
}

// wantRenamed asks for a deployment under the new name and wants an answer, and no target.
func (w *world) wantRenamed(old string) {
	w.t.Helper()
	request, err := w.send(w.ask(w.hub.commit(bothEnvironments), "push"))
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonRenamed || !strings.Contains(err.Error(), old+".yml") || !strings.Contains(err.Error(), `"`+old+`"`) {
		w.t.Fatalf("got %v", err)
	}
	if len(request.Targets) != 0 || len(request.Problems) != 1 || strings.Contains(request.Problems.Error(), "acme") || !strings.Contains(request.Problems.Error(), "nothing was applied") {
		w.t.Errorf("the customer reads %v of %v", request.Problems, request.Targets)
	}
}

// TestRenamedCustomer: what is registered under another name is not planned, also where
// the registration is missing, as with customers of earlier versions.
func TestRenamedCustomer(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*world){
		"registered":         func(*world) {},
		"before the records": (*world).forgetNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.appliedOnce()
			prepare(w)
			w.customer.Name = "store"
			w.wantRenamed("acme")
			w.wantRenamed("acme")
			w.customer.Name = "acme"
			must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
			if keys := w.registrations(); len(keys) != 1 {
				t.Errorf("registered: %v", keys)
			}
		})
	}
}

// TestRegistrationOfOthers: another path, and another repository, are other customers.
func TestRegistrationOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	other := w.customer
	other.Name, other.Path = "other", "deploy"
	for range 2 {
		if err := w.fetcher().Register(context.Background(), other); err != nil {
			t.Fatal(err)
		}
	}
	other.Name, other.RepositoryID, other.Path = "third", 8, "infra"
	if err := w.fetcher().Register(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	if keys := w.registrations(); len(keys) != 3 {
		t.Errorf("registered: %v", keys)
	}
}

// TestForgedRegistration: a record that was changed, moved or made without the key
// registers nobody, and lets no renamed customer plan.
func TestForgedRegistration(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(w *world, key string){
		"edited": func(w *world, key string) {
			w.write(key, []byte(strings.Replace(string(w.read(key)), "acme", "store", 1)))
		},
		"made up": func(w *world, key string) { w.write(key, []byte(`{"record": {"customer": "store"}, "seal": "AAAA"}`)) },
		"no seal": func(w *world, key string) { w.write(key, []byte(`{"record": {"customer": "store"}}`)) },
		"empty":   func(w *world, key string) { w.write(key, nil) },
		"laid behind": func(w *world, key string) {
			w.lay(strings.Replace(key, "000001", "000002", 1), `{"record": {}, "seal": "AA=="}`)
		},
		"copied": func(w *world, key string) { w.lay(strings.Replace(key, "000001", "000002", 1), string(w.read(key))) },
		"stray":  func(w *world, key string) { w.lay(strings.Replace(key, "000001", "000009", 1), string(w.read(key))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.appliedOnce()
			forge(w, w.registrations()[0])
			for _, customer := range []pipeline.CustomerName{"store", "acme"} {
				w.customer.Name = customer
				_, err := w.send(w.ask(w.hub.commit(bothEnvironments), "push"))
				wantRefused(t, "fetch-vars of "+string(customer), err, pipeline.ReasonTampered)
				wantRefused(t, "drift of "+string(customer), registry.CheckRegistered(context.Background(), w.store, w.sealer, w.customer), pipeline.ReasonTampered)
			}
		})
	}
}

// TestEvidenceThatWasChanged: without the registration, an edited record of the last apply
// does not make a renamed customer new.
func TestEvidenceThatWasChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	w.forgetNames()
	for _, key := range must[[]string](t)(w.store.List(context.Background(), "acme/staging/applied/")) {
		if strings.HasSuffix(key, ".json") {
			w.write(key, []byte(strings.Replace(string(w.read(key)), `"repository_id": 7`, `"repository_id": 8`, 1)))
		}
	}
	w.customer.Name = "store"
	_, err := w.send(w.ask(w.hub.commit(bothEnvironments), "push"))
	wantRefused(t, "fetch-vars", err, pipeline.ReasonTampered)
}

// TestRegistrationUnderALostKey: it is written again under the new key, and a renamed
// customer does not pass by it.
func TestRegistrationUnderALostKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	w.now = w.now.Add(2 * time.Hour) // no order is asked for
	w.sealer = must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
	w.customer.Name = "store"
	w.wantRenamed("acme")
	w.customer.Name = "acme"
	for range 2 {
		must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	}
	if keys := w.registrations(); len(keys) != 2 {
		t.Errorf("registered: %v", keys)
	}
	w.forgetNames()
	w.customer.Name = "store"
	_, err := w.send(w.ask(w.hub.commit(bothEnvironments), "push"))
	wantRefused(t, "without a registration", err, pipeline.ReasonUnknownKey)
}

// TestPlanOfARenamedCustomer: a request that was accepted under the name before is neither
// planned nor applied once the store knows another one.
func TestPlanOfARenamedCustomer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	key := w.registrations()[0]
	w.lay(strings.Replace(key, "000001", "000002", 1), `{"record": {"repository_id": 7, "path": "infra", "customer": "store"}, "seal": "AA=="}`)
	_, err := w.plan(request, "staging")
	wantRefused(t, "plan", err, pipeline.ReasonRenamed)
	_, err = w.apply(w.target(request, "staging"))
	wantRefused(t, "apply", err, pipeline.ReasonRenamed)
}

// TestForgedNameOfAPlan: a job has no key of the fleet. What a writer of the store claims about
// the name of a customer refuses a plan; it is no fact, and nothing is to be moved for it.
func TestForgedNameOfAPlan(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	registration := func(w *world) string { return registry.RegistrationKey(w.customer, 2) }
	rename := func(name string) func(*world) string {
		return func(*world) string { return registry.Renames + name + "/000001.json" }
	}
	for name, c := range map[string]struct {
		key  func(*world) string
		body string
	}{
		"a registration": {registration, `"path": "infra", "customer": "crm"`},
		"a rename":       {rename("acme"), `"path": "infra", "from": "acme", "to": "crm"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
			key := c.key(w)
			w.lay(key, `{"record": {"repository_id": 7, `+c.body+`, "at": "2098-05-01T00:00:00Z"}, "seal": "BBBB"}`)
			_, err := w.plan(request, "staging")
			wantRefused(t, "plan", err, pipeline.ReasonRenamed)
			for _, text := range []string{"an unverified record (" + key + `) claims that path "infra"`, `is customer "crm"`, "find out who wrote " + key, "`metapipe drift --customer acme` verifies it"} {
				if !contains(err.Error(), text) {
					t.Errorf("no %s in: %v", text, err)
				}
			}
			var refused *pipeline.RefusedError
			if contains(err.Error(), "is registered as") || contains(err.Error(), "customer rename") || !errors.As(err, &refused) || !contains(refused.Message, "a record that was not verified claims") {
				t.Errorf("shown as a fact: %v", err)
			}
			wantRefused(t, "what drift says", registry.CheckRegistered(ctx, w.store, w.sealer, w.customer), pipeline.ReasonTampered)
		})
	}
}
