package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

func TestOriginMustBeProved(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(w *world, a *pipeline.DispatchRequest, claims *pipeline.Claims)
		want   pipeline.Reason
	}{
		{"other repository id", func(_ *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.RepositoryID = 8 }, pipeline.ReasonUnknownCustomer},
		{"other path", func(_ *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.Path = "other" }, pipeline.ReasonUnknownCustomer},
		{"repository without customer", func(_ *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.Repository = "mallory/app" }, pipeline.ReasonUnknownCustomer},
		{"run that does not exist", func(_ *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.RunID = 1 }, pipeline.ReasonUnverified},
		{"run of another commit", func(w *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			a.Commit = w.hub.commit("staging evil\n")
		}, pipeline.ReasonUnverified},
		{"run of another workflow", func(w *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.hub.runs[a.RunID]
			run.Path = ".github/workflows/other.yml"
			w.hub.runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"run of another branch", func(w *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.hub.runs[a.RunID]
			run.HeadBranch = "feature"
			w.hub.runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"run that ended long ago", func(w *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.hub.runs[a.RunID]
			run.Status, run.UpdatedAt = "completed", w.now.Add(-time.Hour)
			w.hub.runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"commit of a fork", func(w *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) { w.hub.unreachable[a.Commit] = true }, pipeline.ReasonUnreachable},
		{"tag", func(_ *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.Ref = "refs/tags/v1" }, pipeline.ReasonUnverified},
		{"pull request run asking for a push", func(w *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.hub.runs[a.RunID]
			run.Event = "pull_request"
			w.hub.runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"no signature", func(_ *world, _ *pipeline.DispatchRequest, claims *pipeline.Claims) { claims.Audience = "" }, pipeline.ReasonUnverified},
		{"signature of another repository", func(_ *world, _ *pipeline.DispatchRequest, claims *pipeline.Claims) { claims.RepositoryID = 9 }, pipeline.ReasonUnverified},
		{"signature of another run", func(_ *world, _ *pipeline.DispatchRequest, claims *pipeline.Claims) { claims.RunID++ }, pipeline.ReasonUnverified},
		{"signature for another ref", func(_ *world, _ *pipeline.DispatchRequest, claims *pipeline.Claims) { claims.Ref = "refs/heads/x" }, pipeline.ReasonUnverified},
		{"signature for another event", func(_ *world, _ *pipeline.DispatchRequest, claims *pipeline.Claims) {
			claims.EventName = "pull_request"
		}, pipeline.ReasonUnverified},
		{"signature older than its run", func(w *world, _ *pipeline.DispatchRequest, claims *pipeline.Claims) {
			claims.IssuedAt = w.now.Add(-time.Hour)
		}, pipeline.ReasonUnverified},
		{"unknown event", func(_ *world, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.Event = "issue_comment" }, pipeline.ReasonInvalidPayload},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.ask(w.hub.commit(bothEnvironments), "push")
			claims := w.claims(a)
			c.change(w, &a, &claims)
			if claims.Audience != "" {
				claims.Audience = a.Audience(managerSlug)
			}
			in := w.fetchInput(a, claims)
			request, err := w.fetcher().Run(context.Background(), in)
			var rejected *pipeline.RejectedError
			if !errors.As(err, &rejected) || rejected.Reason != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if request.ID != "" || w.hub.writes != 0 {
				t.Fatalf("something was written to the customer's repo")
			}
			found, err := publish.FindRejected(context.Background(), w.store, w.sealer, in.Run)
			if err != nil || found.Reason != c.want {
				t.Fatalf("the manager does not know of it: %+v %v", found, err)
			}
		})
	}
}

func TestPullRequestOrigin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(pr *pipeline.PullRequest)
		want   pipeline.Reason
	}{
		"head in a fork": {func(pr *pipeline.PullRequest) { pr.HeadRepoID = 9 }, pipeline.ReasonUnverified},
		"other number":   {func(pr *pipeline.PullRequest) { pr.Number = 6 }, pipeline.ReasonUnverified},
	} {
		w := newWorld(t)
		a := w.ask(w.hub.commit(bothEnvironments), "pull_request")
		pr := w.hub.pulls[5]
		c.change(&pr)
		w.hub.pulls[5] = pr
		_, err := w.send(a)
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestHeadThatMovedOnIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.ask(w.hub.commit(bothEnvironments), "pull_request")
	pr := w.hub.pulls[5]
	pr.Head = managerCommit
	w.hub.pulls[5] = pr
	request, err := w.send(a)
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonSuperseded {
		t.Fatalf("got %v", err)
	}
	w.report(request, true)
	if s := w.hub.status(a.Commit, "infra/terraform-deploy"); s.State != pipeline.StatusError || len(w.hub.comments) != 0 {
		t.Fatalf("status %+v, %d comments", s, len(w.hub.comments))
	}
}

func TestNewerPushWinsWhateverRunStartsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older := w.ask(w.hub.commit("staging one\n"), "push")
	w.tick()
	newer := w.ask(w.hub.commit("staging two\n"), "push")
	second := must[pipeline.Request](t)(w.send(newer))
	first := must[pipeline.Request](t)(w.send(older)) // its run got a runner late
	_, err := w.plan(first, "staging")
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
		t.Fatalf("the older push: %v", err)
	}
	if got := must[deploy.TargetResult](t)(w.plan(second, "staging")); got.Outcome != pipeline.OutcomeWaiting {
		t.Fatalf("the newer push: %+v", got)
	}
}

func TestSeveralCustomersInOneRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer.SharedRepository = true
	a := w.ask(w.hub.commit("staging one\n"), "push")
	request, err := w.send(a)
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || request.StatusContext("") != "infra/terraform-deploy" || !strings.Contains(err.Error(), "--customer acme") {
		t.Fatalf("without the customer's name: %v", err)
	}
	b := w.ask(a.Commit, "push")
	b.Customer = "acme"
	b.ID = b.OwnID()
	request = must[pipeline.Request](t)(w.send(b))
	if got := request.StatusContext("staging"); got != "infra/terraform-deploy/acme/staging" {
		t.Fatal(got)
	}
	c := w.ask(a.Commit, "push")
	c.Customer = "other"
	if _, err := w.send(c); !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonUnknownCustomer {
		t.Fatalf("another customer's name: %v", err)
	}
	in := w.triggerInput("push", a.Commit)
	in.Customer = "acme"
	w.hub.paths = []string{"app/x"}
	if _, err := w.trigger().Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if s := w.hub.status(a.Commit, "infra/terraform-deploy"); s.State != "" {
		t.Fatalf("trigger wrote to the context of nobody: %+v", s)
	}
}

func TestTrustLevels(t *testing.T) {
	t.Parallel()
	for trust, accepted := range map[pipeline.Trust]bool{pipeline.TrustRequired: false, pipeline.TrustPreferred: true, pipeline.TrustOff: true} {
		w := newWorld(t)
		w.customer.Manager.Trust = trust
		a := w.ask(w.hub.commit(bothEnvironments), "push")
		in := w.fetchInput(a, w.claims(a))
		payload := must[pipeline.Payload](t)(pipeline.ParsePayload(in.Event.Payload))
		payload.Proof.Token = ""
		in.Event.Payload = encode(t, payload)
		if _, err := w.fetcher().Run(context.Background(), in); (err == nil) != accepted {
			t.Errorf("%s without a signature: %v", trust, err)
		}
	}
}

func TestReplayIsRejectedAndRerunIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.ask(w.hub.commit(bothEnvironments), "push")
	in := w.fetchInput(a, w.claims(a))
	first := must[pipeline.Request](t)(w.fetcher().Run(context.Background(), in))
	in.Run.Attempt++
	again := must[pipeline.Request](t)(w.fetcher().Run(context.Background(), in))
	if again.ID != first.ID || !again.CreatedAt.Equal(first.CreatedAt) {
		t.Fatal("a re-run made another request")
	}
	in.Run.ID++
	_, err := w.fetcher().Run(context.Background(), in)
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonReplayed {
		t.Fatalf("got %v", err)
	}
	b := w.ask(a.Commit, "push") // same token, other request id
	claims := w.claims(b)
	claims.JTI = w.claims(a).JTI
	_, err = w.fetcher().Run(context.Background(), w.fetchInput(b, claims))
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonReplayed {
		t.Fatalf("token used twice: %v", err)
	}
}

func TestBadVariablesAreAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		variables string
		want      pipeline.Reason
		line      int
	}{
		"missing":               {"", pipeline.ReasonMissingVariables, 0},
		"syntax":                {"staging one\nbroken\n", pipeline.ReasonInvalidVariables, 2},
		"environment not known": {"staging one\nqa one\n", pipeline.ReasonInvalidVariables, 2},
	} {
		w := newWorld(t)
		commit := w.hub.commit(c.variables)
		request, err := w.send(w.ask(commit, "push"))
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != c.want || rejected.Problems[0].Line != c.line {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w.report(request, false)
		if s := w.hub.status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusFailure {
			t.Errorf("%s: status %+v", name, s)
		}
	}
}

func TestRemovedEnvironmentIsNotDestroyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	must[deploy.TargetResult](t)(w.plan(first, "staging"))
	second := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	if len(second.Removed) != 1 || second.Removed[0] != "production" || len(second.Targets) != 1 {
		t.Fatalf("%+v", second)
	}
}

func TestManualRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.hub.commit(bothEnvironments)
	in := intake.FetchInput{Manager: managerSlug, ManagerCommit: managerCommit, Run: pipeline.Run{Repository: managerSlug, ID: 9, Attempt: 1},
		Manual: &intake.ManualRequest{Customer: "acme", Environment: "production", Mode: pipeline.ModePlan, Actor: "operator"}}
	request := must[pipeline.Request](t)(w.fetcher().Run(context.Background(), in))
	if request.Commit != commit || len(request.Targets) != 1 || request.Mode != pipeline.ModePlan {
		t.Fatalf("%+v", request)
	}
	in.Manual.Customer = "nobody"
	if _, err := w.fetcher().Run(context.Background(), in); err == nil {
		t.Fatal("an unknown customer was accepted")
	}
}

// TestClosedPullRequestIsNotPlanned: a request for a pull request that is closed or
// merged by now is answered and never planned, whatever event its run was started by.
func TestClosedPullRequestIsNotPlanned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state  string
		merged bool
		says   string
	}{
		"closed":           {"closed", false, "has been closed"},
		"merged":           {"closed", true, "has been merged"},
		"merged, no state": {"", true, "has been merged"},
		"no state":         {"", false, "has been closed"},
	} {
		w := newWorld(t)
		a := w.ask(w.hub.commit(bothEnvironments), "pull_request")
		pr := w.hub.pulls[5]
		pr.State, pr.Merged = c.state, c.merged
		w.hub.pulls[5] = pr
		request, err := w.send(a)
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonSuperseded || !strings.Contains(err.Error(), c.says) || len(request.Targets) != 0 {
			t.Errorf("%s: %+v, %v", name, request, err)
		}
	}
}
