package intake_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// dispatchAs asks for a customer by name, as the trigger step of a shared repository does.
func dispatchAs(w *pipelinetest.Setup, name pipeline.CustomerName) pipeline.DispatchRequest {
	a := w.Dispatch(w.Hub.Commit("staging former\n"), "push")
	a.Customer = name
	a.ID = a.OwnID()
	return a
}

// TestFormerNameInTrigger: a trigger that uses the name from before a rename gets an answer
// with the new one, where it waits for it. Nothing is planned.
func TestFormerNameInTrigger(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	for _, name := range []pipeline.CustomerName{"store", "outlet"} { // the answer follows each rename
		if err := w.Rename(w.Current.Name, name); err != nil {
			t.Fatal(err)
		}
	}
	request, err := w.Send(dispatchAs(w, "acme"))
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonInvalidPayload {
		t.Fatalf("sent: %v", err)
	}
	for _, want := range []string{intake.TriggerWorkflow, "asks for customer acme", "change the trigger's `customer` from acme to outlet"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if request.Customer != "outlet" || len(request.Targets) != 0 || !request.Rejected() {
		t.Errorf("the request: %+v", request)
	}
	if got := request.StatusContext(pipeline.Target{}); got != "infra/terraform-deploy/acme" {
		t.Errorf("the answer is in status %s, and the trigger waits for the one of acme", got)
	}
	w.WantNamed("outlet", "acme", "store")
	in := intake.FetchInput{Manager: pipelinetest.ManagerSlug, ManagerCommit: pipelinetest.ManagerCommit, Run: pipeline.Run{Repository: pipelinetest.ManagerSlug, ID: 9, Attempt: 1},
		Manual: &intake.ManualRequest{Customer: "acme", Environment: "staging", Mode: pipeline.ModePlan, Actor: "operator"}}
	if _, err := w.Fetcher().Run(context.Background(), in); err == nil || !strings.Contains(err.Error(), "use `--customer outlet`") {
		t.Errorf("an operator's request: %v", err)
	}
}

// TestFormerNameOfAnother: the name from before a rename says nothing to another repository,
// to another path, or where the record cannot be verified.
func TestFormerNameOfAnother(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*pipelinetest.Setup){
		"another repository": func(w *pipelinetest.Setup) { w.Current.RepositoryID = 8 },
		"another path":       func(w *pipelinetest.Setup) { w.Current.Path = "deploy" },
		"a forged record": func(w *pipelinetest.Setup) {
			w.DeleteAll("_metapipe/customers/7/renamed/")
			w.Create("_metapipe/customers/7/renamed/acme/000001.json", `{"record": {"repository_id": 7, "path": "infra", "from": "acme", "to": "outlet", "at": "2027-01-01T00:00:00Z"}, "seal": "AA=="}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			if err := w.Rename("acme", "outlet"); err != nil {
				t.Fatal(err)
			}
			change(w)
			c := w.Current
			w.Hub.AnswerRepository = func() (pipeline.Repository, error) {
				return pipeline.Repository{Slug: c.Repository, ID: c.RepositoryID, DefaultBranch: "main"}, nil
			}
			a := dispatchAs(w, "acme")
			a.RepositoryID, a.Path = c.RepositoryID, "infra"
			request, err := w.Send(a)
			var rejected *pipeline.RejectedError
			if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonUnknownCustomer || request.ID != "" {
				t.Fatalf("sent: %+v, %v", request, err)
			}
			if strings.Contains(err.Error(), "outlet") {
				t.Errorf("the rejection names another customer: %v", err)
			}
		})
	}
}

// TestRenamedForTheCustomer: what a customer reads of a refused apply names neither another
// customer nor another repository. The operator's side does.
func TestRenamedForTheCustomer(t *testing.T) {
	t.Parallel()
	c := pipeline.Customer{Name: "store", Repository: pipeline.Slug{Owner: "acme", Name: "app"}, RepositoryID: 7, Path: "infra", File: "customers/store.yml"}
	for name, renamed := range map[string]*pipeline.RenamedError{
		"another name":        {Old: "outlet", New: c},
		"another repository":  {New: c, Taken: &pipeline.OwnerError{Customer: c, Target: c.Name.In("staging"), Owner: 4712}},
		"a name that is left": {Old: "outlet", New: c, Left: &pipeline.Evidence{RepositoryID: 7, Path: "outlet/infra"}},
	} {
		var refused *pipeline.RefusedError
		if !errors.As(renamed, &refused) {
			t.Fatalf("%s: %v", name, renamed)
		}
		answer := renamed.Answer("infra/variables.yml")
		for _, secret := range []string{"outlet", "4712"} {
			if text := refused.Message + refused.Next + answer.Error(); strings.Contains(text, secret) {
				t.Errorf("%s: the customer reads %q: %s", name, secret, text)
			}
		}
		if text := refused.Detail + refused.Error(); !strings.Contains(text, "outlet") && !strings.Contains(text, "4712") {
			t.Errorf("%s: the operator does not read which: %s", name, text)
		}
	}
}
