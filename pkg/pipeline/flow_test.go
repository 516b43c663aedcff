package pipeline_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

func TestPushGoesThroughBothEnvironments(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	for _, target := range request.Targets {
		planned := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, target.Environment))
		if planned.Outcome != pipeline.OutcomeWaiting || planned.ReceiptCode == "" {
			t.Fatalf("plan of %s: %+v", target.Environment, planned)
		}
		if got := w.Report(request, false).Overall(); got != pipeline.StatusPending {
			t.Fatalf("overall after the plan of %s: %s", target.Environment, got)
		}
		in := w.Target(request, target.Environment)
		in.Receipt = planned.ReceiptCode
		if applied := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in)); applied.Outcome != pipeline.OutcomeApplied {
			t.Fatalf("apply of %s: %+v", target.Environment, applied)
		}
	}
	report := w.Report(request, true)
	if report.Overall() != pipeline.StatusSuccess || w.Hub.Status(commit, "infra/terraform-deploy").State != pipeline.StatusSuccess {
		t.Fatalf("overall: %s", report.Overall())
	}
	if len(w.Hub.DeploymentList) != 2 || w.Hub.DeploymentList[0].Environment != "infra/production" {
		t.Fatalf("deployments: %+v", w.Hub.DeploymentList)
	}
	if outputs := w.Hub.DeploymentList[0].Payload.Outputs; outputs["url"] != `"https://x"` || len(outputs) != 1 {
		t.Fatalf("outputs, the sensitive one must not be there: %v", outputs)
	}
	writes := w.Hub.Writes
	w.Report(request, true)
	if w.Hub.Writes != writes {
		t.Fatalf("a second report wrote %d times", w.Hub.Writes-writes)
	}
	keys, err := w.Store.List(context.Background(), "acme/staging/plans/")
	if err != nil || strings.Contains(strings.Join(keys, " "), "artifacts.sealed") {
		t.Fatalf("the used plan is still there: %v %v", keys, err)
	}
}

// TestComposedReachesTheReport: what controllers have made of an apply is in its record and in the report, whether the
// apply succeeds or fails; at the level "summary" without what they say.
func TestComposedReachesTheReport(t *testing.T) {
	t.Parallel()
	tree := pipeline.Composition{Cut: true, Objects: []pipeline.ComposedObject{{Address: "X main", State: pipeline.ComposedReady}, {Address: "Bucket b", Depth: 1, State: pipeline.ComposedNotReady, Detail: "Ready False"}}}
	bare := pipeline.Composition{Cut: true, Objects: []pipeline.ComposedObject{tree.Objects[0], {Address: "Bucket b", Depth: 1, State: pipeline.ComposedNotReady}}}
	for _, c := range []struct {
		err   error
		level pipeline.Redaction
		want  pipeline.Composition
	}{{nil, "", tree}, {&pipeline.FailedError{Message: "no"}, "", tree}, {nil, pipeline.RedactionSummary, bare}} {
		w := pipelinetest.New(t)
		w.Engine.Composed, w.Engine.ApplyErr = tree, c.err
		w.Current.Manager.Redaction = c.level
		request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
		environment := request.Targets[0].Environment
		planned := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, environment))
		in := w.Target(request, environment)
		in.Receipt = planned.ReceiptCode
		if _, err := w.Apply(in); (err != nil) != (c.err != nil) {
			t.Fatal(err)
		}
		if got := w.Report(request, true).Targets[0].Composed; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v, level %q: the report has %+v", c.err, c.level, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(w *pipelinetest.Setup, request pipeline.Request, in *pipeline.TargetInput)
		want   pipeline.Reason
		ends   pipeline.Outcome // how the report shows it, "" when it is no record of this target
	}{
		{"stale state", func(w *pipelinetest.Setup, _ pipeline.Request, in *pipeline.TargetInput) {
			w.Engine.States[in.Backend.String()]++
		}, pipeline.ReasonStaleState, pipeline.OutcomeRefused},
		{"other manager commit", func(_ *pipelinetest.Setup, _ pipeline.Request, in *pipeline.TargetInput) {
			in.ManagerCommit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
		}, pipeline.ReasonStaleManager, pipeline.OutcomeRefused},
		{"expired", func(w *pipelinetest.Setup, _ pipeline.Request, _ *pipeline.TargetInput) {
			w.Now = w.Now.Add(2 * time.Hour)
		}, pipeline.ReasonExpired, pipeline.OutcomeExpired},
		{"superseded", func(w *pipelinetest.Setup, _ pipeline.Request, _ *pipeline.TargetInput) {
			pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
		}, pipeline.ReasonSuperseded, pipeline.OutcomeSuperseded},
		{"other state", func(_ *pipelinetest.Setup, _ pipeline.Request, in *pipeline.TargetInput) {
			in.Backend = pipeline.State{}.Target(in.Target(), "/elsewhere")
		}, pipeline.ReasonStaleState, pipeline.OutcomeRefused},
		{"other receipt", func(_ *pipelinetest.Setup, _ pipeline.Request, in *pipeline.TargetInput) {
			in.Receipt = "0000-0000-0000"
		}, pipeline.ReasonReceiptMismatch, pipeline.OutcomeRefused},
		{"environment of no target", func(_ *pipelinetest.Setup, _ pipeline.Request, in *pipeline.TargetInput) {
			in.Environment = "development"
		}, pipeline.ReasonOtherEnvironment, ""},
		{"plan of another environment", func(w *pipelinetest.Setup, request pipeline.Request, _ *pipeline.TargetInput) {
			pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, "production"))
			copyPlan(w, request, "production", "staging")
		}, pipeline.ReasonTampered, pipeline.OutcomeFailed},
		{"tampered plan", func(w *pipelinetest.Setup, request pipeline.Request, _ *pipeline.TargetInput) {
			w.Replace(request, "staging", "artifacts.sealed", func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		}, pipeline.ReasonTampered, pipeline.OutcomeRefused},
		{"tampered receipt", func(w *pipelinetest.Setup, request pipeline.Request, _ *pipeline.TargetInput) {
			w.Replace(request, "staging", "planned.json", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"state_serial": "0"`, `"state_serial": "1"`, 1))
			})
		}, pipeline.ReasonTampered, pipeline.OutcomeFailed},
		{"receipt that is no receipt", func(w *pipelinetest.Setup, request pipeline.Request, _ *pipeline.TargetInput) {
			w.Replace(request, "staging", "planned.json", func([]byte) []byte { return []byte("{") })
		}, pipeline.ReasonTampered, pipeline.OutcomeFailed},
		{"other variables", func(w *pipelinetest.Setup, request pipeline.Request, _ *pipeline.TargetInput) {
			w.Replace(request, "staging", "planned.json", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), string(request.Blob), strings.Repeat("0", 40), 1))
			})
		}, pipeline.ReasonTampered, pipeline.OutcomeFailed},
		{"production before staging", func(w *pipelinetest.Setup, request pipeline.Request, in *pipeline.TargetInput) {
			pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, "production"))
			*in = w.Target(request, "production")
		}, pipeline.ReasonEnvironmentOrder, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			in := w.Target(request, "staging")
			c.change(w, request, &in)
			for attempt := range 2 { // the second one must get the same answer
				result, err := w.Apply(in)
				if result.Outcome == pipeline.OutcomeApplied {
					t.Fatal("a refusal says that it was applied")
				}
				var refused *pipeline.RefusedError
				if !errors.As(err, &refused) || refused.Reason != c.want || refused.Message == "" {
					t.Fatalf("attempt %d: got %v, want reason %s", attempt+1, err, c.want)
				}
			}
			if w.Engine.Applies != 0 {
				t.Fatal("something was applied")
			}
			if c.ends != "" {
				if got := w.Report(request, true).Targets[0]; got.Outcome != c.ends || got.Reason != c.want {
					t.Fatalf("report says %s (%s), want %s (%s)", got.Outcome, got.Reason, c.ends, c.want)
				}
			}
		})
	}
}

func TestGateWithoutReviewersIsRefused(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("production one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "production"))
	w.Hub.Reviewers = 0
	_, err := w.Apply(w.Target(request, "production"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonMissingProtection {
		t.Fatalf("got %v", err)
	}
}

func TestAPlanIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Engine.ApplyErr = &pipeline.FailedError{Message: "apply failed half-way"}
	if _, err := w.Apply(w.Target(request, "staging")); err == nil {
		t.Fatal("want the failure")
	}
	w.Engine.ApplyErr = nil
	_, err := w.Apply(w.Target(request, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonAlreadyApplied {
		t.Fatalf("got %v", err)
	}
	report := w.Report(request, true)
	if got := report.Targets[0]; got.Outcome != pipeline.OutcomeFailed || len(got.Done) != 1 {
		t.Fatalf("staging: %+v", got)
	}
	if got := report.Targets[1]; got.Outcome != pipeline.OutcomeSkipped {
		t.Fatalf("production: %+v", got)
	}
}

func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.BeginApply(request, "staging")
	_, err := w.Apply(w.Target(request, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonAlreadyApplied || w.Engine.Applies != 0 {
		t.Fatalf("got %v after %d applies", err, w.Engine.Applies)
	}
	if got := w.Report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeFailed || !strings.Contains(got.Message, "interrupted") {
		t.Fatalf("an apply without an end: %+v", got)
	}
}

func TestNoChangesAndPlanOnly(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	first := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(first, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(first, "staging")))

	same := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(same, "staging")); got.Outcome != pipeline.OutcomeNoChanges || got.HasChanges {
		t.Fatalf("%+v", got)
	}
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(same, "staging"))); got.Outcome != pipeline.OutcomeNoChanges {
		t.Fatalf("%+v", got)
	}

	pull := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "pull_request")))
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(pull, "staging")); got.Outcome != pipeline.OutcomePlanned {
		t.Fatalf("%+v", got)
	}
	_, err := w.Apply(w.Target(pull, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonModeForbids {
		t.Fatalf("a pull request was applied: %v", err)
	}
}

func TestMergeIsComparedWithItsPullRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, shown, merged string
		require             bool
		want                pipeline.Reviewed
		outcome             pipeline.Outcome
	}{
		{"same", "staging two\n", "staging two\n", true, pipeline.ReviewedSame, pipeline.OutcomeWaiting},
		{"different", "staging two\n", "staging three\n", false, pipeline.ReviewedDifferent, pipeline.OutcomeWaiting},
		{"different and required", "staging two\n", "staging three\n", true, pipeline.ReviewedDifferent, pipeline.OutcomeRefused},
		{"unseen and required", "", "staging three\n", true, pipeline.ReviewedUnseen, pipeline.OutcomeRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Current.Manager.Environments[0].RequireReviewed = c.require
			if c.shown != "" {
				pull := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(c.shown), "pull_request")))
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(pull, "staging"))
			}
			commit := w.Hub.Commit(c.merged)
			w.Hub.Merged[commit] = 5
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
			got, err := w.Plan(request, "staging")
			if got.Reviewed != c.want || got.Outcome != c.outcome || (err != nil) != (c.outcome == pipeline.OutcomeRefused) {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
}

func TestOnlyOneComment(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Hub.CommentList = []pipeline.Comment{{ID: 1, Author: "mallory", Body: pipeline.Marker(pipelinetest.ManagerSlug, "acme", "plan") + "\nforged"}}
	older := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "pull_request")))
	newer := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "pull_request")))
	w.Report(newer, false)
	if _, err := w.Hub.CreateComment(context.Background(), pipeline.Slug{}, 5, pipeline.Marker(pipelinetest.ManagerSlug, "acme", "plan")+"\ntwin"); err != nil {
		t.Fatal(err)
	}
	w.Report(newer, true)
	w.Report(older, true)
	if len(w.Hub.CommentList) != 2 || w.Hub.CommentList[0].Body != pipeline.Marker(pipelinetest.ManagerSlug, "acme", "plan")+"\nforged" {
		t.Fatalf("comments: %+v", w.Hub.CommentList)
	}
	if !strings.Contains(w.Hub.CommentList[1].Body, string(newer.ID)) {
		t.Fatalf("a late writer won: %s", w.Hub.CommentList[1].Body)
	}
}

func TestBranchesThatMayNotApplyAreHeld(t *testing.T) {
	t.Parallel()
	for branch, held := range map[string]bool{"main": false, "maintenance": true, "feature/main": true, "release-2024": true} {
		w := pipelinetest.New(t)
		a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
		a.Ref = "refs/heads/" + branch
		request := pipelinetest.Must[pipeline.Request](t)(w.Send(a))
		if request.PullRequest != 0 {
			t.Errorf("branch %s became pull request %d", branch, request.PullRequest)
		}
		if request.Applies(request.Customer.In("production")) == held {
			t.Errorf("branch %s: applies to production: %v", branch, !held)
		}
		if held {
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "production"))
			_, err := w.Apply(w.Target(request, "production"))
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonBranch {
				t.Errorf("branch %s: %v", branch, err)
			}
		}
	}
}

func TestEveryTargetEndsFinal(t *testing.T) {
	t.Parallel()
	for step := range 4 {
		w := pipelinetest.New(t)
		commit := w.Hub.Commit(pipelinetest.BothEnvironments)
		request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
		switch step {
		case 1:
			w.Engine.PlanErr = &pipeline.FailedError{Message: "no"}
			if _, err := w.Plan(request, "staging"); err == nil {
				t.Fatal("want a failure")
			}
		case 2:
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
		case 3:
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "production"))
		}
		for _, target := range w.Report(request, true).Targets {
			if !target.Outcome.Final() || w.Hub.Status(commit, "infra/terraform-deploy/"+string(target.Environment)).State == pipeline.StatusPending {
				t.Errorf("step %d: %s stays %s", step, target.Environment, target.Outcome)
			}
		}
		if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State == pipeline.StatusPending || s.State == pipeline.StatusSuccess {
			t.Errorf("step %d: overall is %s", step, s.State)
		}
	}
}

func copyPlan(w *pipelinetest.Setup, request pipeline.Request, from, to pipeline.Environment) {
	w.T.Helper()
	for _, object := range []string{"planned.json", "artifacts.sealed"} {
		w.Write(w.Folder(request, to)+object, w.Read(w.Folder(request, from)+object))
	}
}

func TestReceiptRoundTrip(t *testing.T) {
	t.Parallel()
	r := pipeline.Receipt{Version: pipeline.ReceiptVersion, Exactness: pipeline.ExactnessExact, Request: pipeline.NewRequestID(), Environment: "staging", PlannedAt: time.Unix(1, 2).UTC()}
	got, err := pipeline.ParseReceipt(r.Bytes())
	if err != nil || got.Code() != r.Code() {
		t.Fatalf("%v %v", got, err)
	}
	for _, version := range []int{1, 3} {
		r.Version = version
		if _, err := pipeline.ParseReceipt(r.Bytes()); err == nil {
			t.Fatalf("the unknown version %d was accepted", version)
		}
	}
}
