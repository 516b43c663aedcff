package intake_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

func TestOriginMustBeProved(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(w *pipelinetest.Setup, a *pipeline.DispatchRequest, claims *pipeline.Claims)
		want   pipeline.Reason
	}{
		{"other repository id", func(_ *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.RepositoryID = 8 }, pipeline.ReasonUnknownCustomer},
		{"other path", func(_ *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.Path = "other" }, pipeline.ReasonUnknownCustomer},
		{"repository without customer", func(_ *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			a.Repository = "mallory/app"
		}, pipeline.ReasonUnknownCustomer},
		{"run that does not exist", func(_ *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.RunID = 1 }, pipeline.ReasonUnverified},
		{"run of another commit", func(w *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			a.Commit = w.Hub.Commit("staging evil\n")
		}, pipeline.ReasonUnverified},
		{"run of another workflow", func(w *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.Hub.Runs[a.RunID]
			run.Path = ".github/workflows/other.yml"
			w.Hub.Runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"run of another branch", func(w *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.Hub.Runs[a.RunID]
			run.HeadBranch = "feature"
			w.Hub.Runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"run that ended long ago", func(w *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.Hub.Runs[a.RunID]
			run.Status, run.UpdatedAt = "completed", w.Now.Add(-time.Hour)
			w.Hub.Runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"commit of a fork", func(w *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			w.Hub.Unreachable[a.Commit] = true
		}, pipeline.ReasonUnreachable},
		{"tag", func(_ *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) { a.Ref = "refs/tags/v1" }, pipeline.ReasonUnverified},
		{"pull request run asking for a push", func(w *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			run := w.Hub.Runs[a.RunID]
			run.Event = "pull_request"
			w.Hub.Runs[a.RunID] = run
		}, pipeline.ReasonUnverified},
		{"no signature", func(_ *pipelinetest.Setup, _ *pipeline.DispatchRequest, claims *pipeline.Claims) {
			claims.Audience = ""
		}, pipeline.ReasonUnverified},
		{"signature of another repository", func(_ *pipelinetest.Setup, _ *pipeline.DispatchRequest, claims *pipeline.Claims) {
			claims.RepositoryID = 9
		}, pipeline.ReasonUnverified},
		{"signature of another run", func(_ *pipelinetest.Setup, _ *pipeline.DispatchRequest, claims *pipeline.Claims) { claims.RunID++ }, pipeline.ReasonUnverified},
		{"signature for another ref", func(_ *pipelinetest.Setup, _ *pipeline.DispatchRequest, claims *pipeline.Claims) {
			claims.Ref = "refs/heads/x"
		}, pipeline.ReasonUnverified},
		{"signature for another event", func(_ *pipelinetest.Setup, _ *pipeline.DispatchRequest, claims *pipeline.Claims) {
			claims.EventName = "pull_request"
		}, pipeline.ReasonUnverified},
		{"signature older than its run", func(w *pipelinetest.Setup, _ *pipeline.DispatchRequest, claims *pipeline.Claims) {
			claims.IssuedAt = w.Now.Add(-time.Hour)
		}, pipeline.ReasonUnverified},
		{"unknown event", func(_ *pipelinetest.Setup, a *pipeline.DispatchRequest, _ *pipeline.Claims) {
			a.Event = "issue_comment"
		}, pipeline.ReasonInvalidPayload},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
			claims := w.Claims(a)
			c.change(w, &a, &claims)
			if claims.Audience != "" {
				claims.Audience = a.Audience(pipelinetest.ManagerSlug)
			}
			in := w.FetchInput(a, claims)
			request, err := w.Fetcher().Run(context.Background(), in)
			var rejected *pipeline.RejectedError
			if !errors.As(err, &rejected) || rejected.Reason != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if request.ID != "" || w.Hub.Writes != 0 {
				t.Fatalf("something was written to the customer's repo")
			}
			found, err := publish.FindRejected(context.Background(), w.Store, w.Sealer, in.Run)
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
		w := pipelinetest.New(t)
		a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")
		pr := w.Hub.Pulls[5]
		c.change(&pr)
		w.Hub.Pulls[5] = pr
		_, err := w.Send(a)
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestHeadThatMovedOnIsAnswered(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")
	pr := w.Hub.Pulls[5]
	pr.Head = pipelinetest.ManagerCommit
	w.Hub.Pulls[5] = pr
	request, err := w.Send(a)
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonSuperseded {
		t.Fatalf("got %v", err)
	}
	w.Report(request, true)
	if s := w.Hub.Status(a.Commit, "infra/terraform-deploy"); s.State != pipeline.StatusError || len(w.Hub.CommentList) != 0 {
		t.Fatalf("status %+v, %d comments", s, len(w.Hub.CommentList))
	}
}

func TestNewerPushWinsWhateverRunStartsFirst(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	older := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
	w.Tick()
	newer := w.Dispatch(w.Hub.Commit("staging two\n"), "push")
	second := pipelinetest.Must[pipeline.Request](t)(w.Send(newer))
	first := pipelinetest.Must[pipeline.Request](t)(w.Send(older)) // its run got a runner late
	_, err := w.Plan(first, "staging")
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
		t.Fatalf("the older push: %v", err)
	}
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(second, "staging")); got.Outcome != pipeline.OutcomeWaiting {
		t.Fatalf("the newer push: %+v", got)
	}
}

func TestSeveralCustomersInOneRepository(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Current.SharedRepository = true
	a := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
	request, err := w.Send(a)
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || request.StatusContext(pipeline.Target{}) != "infra/terraform-deploy" || !strings.Contains(err.Error(), "--customer acme") {
		t.Fatalf("without the customer's name: %v", err)
	}
	b := w.Dispatch(a.Commit, "push")
	b.Customer = "acme"
	b.ID = b.OwnID()
	request = pipelinetest.Must[pipeline.Request](t)(w.Send(b))
	if got := request.StatusContext(request.Customer.In("staging")); got != "infra/terraform-deploy/acme/staging" {
		t.Fatal(got)
	}
	c := w.Dispatch(a.Commit, "push")
	c.Customer = "other"
	if _, err := w.Send(c); !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonUnknownCustomer {
		t.Fatalf("another customer's name: %v", err)
	}
	in := triggerInput(w, "push", a.Commit)
	in.Customer = "acme"
	w.Hub.Paths = []string{"app/x"}
	if _, err := newTrigger(w).Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if s := w.Hub.Status(a.Commit, "infra/terraform-deploy"); s.State != "" {
		t.Fatalf("trigger wrote to the context of nobody: %+v", s)
	}
}

func TestTrustLevels(t *testing.T) {
	t.Parallel()
	for trust, accepted := range map[pipeline.Trust]bool{pipeline.TrustRequired: false, pipeline.TrustPreferred: true, pipeline.TrustOff: true} {
		w := pipelinetest.New(t)
		w.Current.Manager.Trust = trust
		a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
		in := w.FetchInput(a, w.Claims(a))
		payload := pipelinetest.Must[pipeline.Payload](t)(pipeline.ParsePayload(in.Event.Payload))
		payload.Proof.Token = ""
		in.Event.Payload = pipelinetest.JSON(t, payload)
		if _, err := w.Fetcher().Run(context.Background(), in); (err == nil) != accepted {
			t.Errorf("%s without a signature: %v", trust, err)
		}
	}
}

func TestReplayIsRejectedAndRerunIsNot(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
	in := w.FetchInput(a, w.Claims(a))
	first := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in))
	in.Run.Attempt++
	again := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in))
	if again.ID != first.ID || !again.CreatedAt.Equal(first.CreatedAt) {
		t.Fatal("a re-run made another request")
	}
	in.Run.ID++
	_, err := w.Fetcher().Run(context.Background(), in)
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonReplayed {
		t.Fatalf("got %v", err)
	}
	b := w.Dispatch(a.Commit, "push") // same token, other request id
	claims := w.Claims(b)
	claims.JTI = w.Claims(a).JTI
	_, err = w.Fetcher().Run(context.Background(), w.FetchInput(b, claims))
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
		w := pipelinetest.New(t)
		commit := w.Hub.Commit(c.variables)
		request, err := w.Send(w.Dispatch(commit, "push"))
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != c.want || rejected.Problems[0].Line != c.line {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w.Report(request, false)
		if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusFailure {
			t.Errorf("%s: status %+v", name, s)
		}
	}
}

func TestRemovedEnvironmentIsNotDestroyed(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	first := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(first, "staging"))
	second := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	if len(second.Removed) != 1 || second.Removed[0] != "production" || len(second.Targets) != 1 {
		t.Fatalf("%+v", second)
	}
}

func TestManualRequest(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	in := intake.FetchInput{Manager: pipelinetest.ManagerSlug, ManagerCommit: pipelinetest.ManagerCommit, Run: pipeline.Run{Repository: pipelinetest.ManagerSlug, ID: 9, Attempt: 1},
		Manual: &intake.ManualRequest{Customer: "acme", Environment: "production", Mode: pipeline.ModePlan, Actor: "operator"}}
	request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in))
	if request.Commit != commit || len(request.Targets) != 1 || request.Mode != pipeline.ModePlan {
		t.Fatalf("%+v", request)
	}
	in.Manual.Customer = "nobody"
	if _, err := w.Fetcher().Run(context.Background(), in); err == nil {
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
		w := pipelinetest.New(t)
		a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")
		pr := w.Hub.Pulls[5]
		pr.State, pr.Merged = c.state, c.merged
		w.Hub.Pulls[5] = pr
		request, err := w.Send(a)
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonSuperseded || !strings.Contains(err.Error(), c.says) || len(request.Targets) != 0 {
			t.Errorf("%s: %+v, %v", name, request, err)
		}
	}
}
