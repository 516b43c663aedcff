package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

const bothEnvironments = "staging one\nproduction one\n"

func TestPushGoesThroughBothEnvironments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.hub.commit(bothEnvironments)
	request := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
	for _, env := range request.Targets {
		planned := must[deploy.TargetResult](t)(w.plan(request, env))
		if planned.Outcome != pipeline.OutcomeWaiting || planned.ReceiptCode == "" {
			t.Fatalf("plan of %s: %+v", env, planned)
		}
		if got := w.report(request, false).Overall(); got != pipeline.StatusPending {
			t.Fatalf("overall after the plan of %s: %s", env, got)
		}
		in := w.target(request, env)
		in.Receipt = planned.ReceiptCode
		if applied := must[deploy.TargetResult](t)(w.apply(in)); applied.Outcome != pipeline.OutcomeApplied {
			t.Fatalf("apply of %s: %+v", env, applied)
		}
	}
	report := w.report(request, true)
	if report.Overall() != pipeline.StatusSuccess || w.hub.status(commit, "infra/terraform-deploy").State != pipeline.StatusSuccess {
		t.Fatalf("overall: %s", report.Overall())
	}
	if len(w.hub.deployments) != 2 || w.hub.deployments[0].Environment != "infra/production" {
		t.Fatalf("deployments: %+v", w.hub.deployments)
	}
	if outputs := w.hub.deployments[0].Payload.Outputs; outputs["url"] != `"https://x"` || len(outputs) != 1 {
		t.Fatalf("outputs, the sensitive one must not be there: %v", outputs)
	}
	writes := w.hub.writes
	w.report(request, true)
	if w.hub.writes != writes {
		t.Fatalf("a second report wrote %d times", w.hub.writes-writes)
	}
	keys, err := w.store.List(context.Background(), "acme/staging/plans/")
	if err != nil || strings.Contains(strings.Join(keys, " "), "plan.sealed") {
		t.Fatalf("the used plan is still there: %v %v", keys, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(w *world, request pipeline.Request, in *pipeline.TargetInput)
		want   pipeline.Reason
		ends   pipeline.Outcome // how the report shows it, "" when it is no record of this target
	}{
		{"stale state", func(w *world, _ pipeline.Request, in *pipeline.TargetInput) { w.engine.states[in.Backend.String()]++ }, pipeline.ReasonStaleState, pipeline.OutcomeRefused},
		{"other manager commit", func(_ *world, _ pipeline.Request, in *pipeline.TargetInput) {
			in.ManagerCommit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
		}, pipeline.ReasonStaleManager, pipeline.OutcomeRefused},
		{"expired", func(w *world, _ pipeline.Request, _ *pipeline.TargetInput) { w.now = w.now.Add(2 * time.Hour) }, pipeline.ReasonExpired, pipeline.OutcomeExpired},
		{"superseded", func(w *world, _ pipeline.Request, _ *pipeline.TargetInput) {
			must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
		}, pipeline.ReasonSuperseded, pipeline.OutcomeSuperseded},
		{"other state", func(_ *world, _ pipeline.Request, in *pipeline.TargetInput) {
			in.Backend = pipeline.State{}.Target(in.Customer.Name, in.Environment, "/elsewhere")
		}, pipeline.ReasonStaleState, pipeline.OutcomeRefused},
		{"other receipt", func(_ *world, _ pipeline.Request, in *pipeline.TargetInput) { in.Receipt = "0000-0000-0000" }, pipeline.ReasonReceiptMismatch, pipeline.OutcomeRefused},
		{"environment of no target", func(_ *world, _ pipeline.Request, in *pipeline.TargetInput) { in.Environment = "development" }, pipeline.ReasonOtherEnvironment, ""},
		{"plan of another environment", func(w *world, request pipeline.Request, _ *pipeline.TargetInput) {
			must[deploy.TargetResult](w.t)(w.plan(request, "production"))
			w.copyPlan(request, "production", "staging")
		}, pipeline.ReasonTampered, pipeline.OutcomeRefused},
		{"tampered plan", func(w *world, request pipeline.Request, _ *pipeline.TargetInput) {
			w.replace(request, "staging", "plan.sealed", func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		}, pipeline.ReasonTampered, pipeline.OutcomeRefused},
		{"tampered receipt", func(w *world, request pipeline.Request, _ *pipeline.TargetInput) {
			w.replace(request, "staging", "receipt.json", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"serial":0`, `"serial":1`, 1))
			})
		}, pipeline.ReasonTampered, pipeline.OutcomeRefused},
		{"receipt that is no receipt", func(w *world, request pipeline.Request, _ *pipeline.TargetInput) {
			w.replace(request, "staging", "receipt.json", func([]byte) []byte { return []byte("{") })
		}, pipeline.ReasonTampered, pipeline.OutcomeRefused},
		{"other variables", func(w *world, request pipeline.Request, _ *pipeline.TargetInput) {
			w.replace(request, "staging", "receipt.json", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), string(request.Blob), strings.Repeat("0", 40), 1))
			})
		}, pipeline.ReasonTampered, pipeline.OutcomeRefused},
		{"production before staging", func(w *world, request pipeline.Request, in *pipeline.TargetInput) {
			must[deploy.TargetResult](w.t)(w.plan(request, "production"))
			*in = w.target(request, "production")
		}, pipeline.ReasonEnvironmentOrder, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
			must[deploy.TargetResult](t)(w.plan(request, "staging"))
			in := w.target(request, "staging")
			c.change(w, request, &in)
			for attempt := range 2 { // the second one must get the same answer
				result, err := w.apply(in)
				if result.Outcome == pipeline.OutcomeApplied {
					t.Fatal("a refusal says that it was applied")
				}
				var refused *pipeline.RefusedError
				if !errors.As(err, &refused) || refused.Reason != c.want || refused.Message == "" {
					t.Fatalf("attempt %d: got %v, want reason %s", attempt+1, err, c.want)
				}
			}
			if w.engine.applies != 0 {
				t.Fatal("something was applied")
			}
			if c.ends != "" {
				if got := w.report(request, true).Targets[0]; got.Outcome != c.ends || got.Reason != c.want {
					t.Fatalf("report says %s (%s), want %s (%s)", got.Outcome, got.Reason, c.ends, c.want)
				}
			}
		})
	}
}

func TestGateWithoutReviewersIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("production one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "production"))
	w.hub.reviewers = 0
	_, err := w.apply(w.target(request, "production"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonMissingProtection {
		t.Fatalf("got %v", err)
	}
}

func TestAPlanIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	w.engine.applyErr = &pipeline.FailedError{Message: "apply failed half-way"}
	if _, err := w.apply(w.target(request, "staging")); err == nil {
		t.Fatal("want the failure")
	}
	w.engine.applyErr = nil
	_, err := w.apply(w.target(request, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonAlreadyApplied {
		t.Fatalf("got %v", err)
	}
	report := w.report(request, true)
	if got := report.Targets[0]; got.Outcome != pipeline.OutcomeFailed || len(got.Done) != 1 {
		t.Fatalf("staging: %+v", got)
	}
	if got := report.Targets[1]; got.Outcome != pipeline.OutcomeSkipped {
		t.Fatalf("production: %+v", got)
	}
}

func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	w.vouch(w.folder(request, "staging")+"apply-0001.json", "{}")
	_, err := w.apply(w.target(request, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonAlreadyApplied || w.engine.applies != 0 {
		t.Fatalf("got %v after %d applies", err, w.engine.applies)
	}
	if got := w.report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeFailed || !strings.Contains(got.Message, "interrupted") {
		t.Fatalf("an apply without an end: %+v", got)
	}
}

func TestNoChangesAndPlanOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(first, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(first, "staging")))

	same := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	if got := must[deploy.TargetResult](t)(w.plan(same, "staging")); got.Outcome != pipeline.OutcomeNoChanges || got.HasChanges {
		t.Fatalf("%+v", got)
	}
	if got := must[deploy.TargetResult](t)(w.apply(w.target(same, "staging"))); got.Outcome != pipeline.OutcomeNoChanges {
		t.Fatalf("%+v", got)
	}

	pull := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging two\n"), "pull_request")))
	if got := must[deploy.TargetResult](t)(w.plan(pull, "staging")); got.Outcome != pipeline.OutcomePlanned {
		t.Fatalf("%+v", got)
	}
	_, err := w.apply(w.target(pull, "staging"))
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
			w := newWorld(t)
			w.customer.Manager.Environments[0].RequireReviewed = c.require
			if c.shown != "" {
				pull := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(c.shown), "pull_request")))
				must[deploy.TargetResult](t)(w.plan(pull, "staging"))
			}
			commit := w.hub.commit(c.merged)
			w.hub.merged[commit] = 5
			request := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
			got, err := w.plan(request, "staging")
			if got.Reviewed != c.want || got.Outcome != c.outcome || (err != nil) != (c.outcome == pipeline.OutcomeRefused) {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
}

func TestOnlyOneComment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.comments = []pipeline.Comment{{ID: 1, Author: "mallory", Body: pipeline.Marker(managerSlug, "acme", "plan") + "\nforged"}}
	older := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "pull_request")))
	newer := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging two\n"), "pull_request")))
	w.report(newer, false)
	if _, err := w.hub.CreateComment(context.Background(), pipeline.Slug{}, 5, pipeline.Marker(managerSlug, "acme", "plan")+"\ntwin"); err != nil {
		t.Fatal(err)
	}
	w.report(newer, true)
	w.report(older, true)
	if len(w.hub.comments) != 2 || w.hub.comments[0].Body != pipeline.Marker(managerSlug, "acme", "plan")+"\nforged" {
		t.Fatalf("comments: %+v", w.hub.comments)
	}
	if !strings.Contains(w.hub.comments[1].Body, string(newer.ID)) {
		t.Fatalf("a late writer won: %s", w.hub.comments[1].Body)
	}
}

func TestBranchesThatMayNotApplyAreHeld(t *testing.T) {
	t.Parallel()
	for branch, held := range map[string]bool{"main": false, "maintenance": true, "feature/main": true, "release-2024": true} {
		w := newWorld(t)
		a := w.ask(w.hub.commit(bothEnvironments), "push")
		a.Ref = "refs/heads/" + branch
		request := must[pipeline.Request](t)(w.send(a))
		if request.PullRequest != 0 {
			t.Errorf("branch %s became pull request %d", branch, request.PullRequest)
		}
		if request.Applies("production") == held {
			t.Errorf("branch %s: applies to production: %v", branch, !held)
		}
		if held {
			must[deploy.TargetResult](t)(w.plan(request, "production"))
			_, err := w.apply(w.target(request, "production"))
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
		w := newWorld(t)
		commit := w.hub.commit(bothEnvironments)
		request := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
		switch step {
		case 1:
			w.engine.planErr = &pipeline.FailedError{Message: "no"}
			if _, err := w.plan(request, "staging"); err == nil {
				t.Fatal("want a failure")
			}
		case 2:
			must[deploy.TargetResult](t)(w.plan(request, "staging"))
		case 3:
			must[deploy.TargetResult](t)(w.plan(request, "staging"))
			must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
			must[deploy.TargetResult](t)(w.plan(request, "production"))
		}
		for _, target := range w.report(request, true).Targets {
			if !target.Outcome.Final() || w.hub.status(commit, "infra/terraform-deploy/"+string(target.Environment)).State == pipeline.StatusPending {
				t.Errorf("step %d: %s stays %s", step, target.Environment, target.Outcome)
			}
		}
		if s := w.hub.status(commit, "infra/terraform-deploy"); s.State == pipeline.StatusPending || s.State == pipeline.StatusSuccess {
			t.Errorf("step %d: overall is %s", step, s.State)
		}
	}
}

func (w *world) folder(request pipeline.Request, env pipeline.Environment) string {
	return fmt.Sprintf("acme/%s/plans/%s/0001/", env, request.ID)
}

// replace overwrites a stored object, as somebody with write access could.
func (w *world) replace(request pipeline.Request, env pipeline.Environment, object string, change func([]byte) []byte) {
	w.t.Helper()
	key := w.folder(request, env) + object
	b := w.read(key)
	w.write(key, change(b))
}

func (w *world) copyPlan(request pipeline.Request, from, to pipeline.Environment) {
	w.t.Helper()
	for _, object := range []string{"receipt.json", "plan.sealed", "bundle.sealed", "variables.sealed"} {
		w.write(w.folder(request, to)+object, w.read(w.folder(request, from)+object))
	}
}

func (w *world) read(key string) []byte {
	w.t.Helper()
	r, err := w.store.Open(context.Background(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) write(key string, b []byte) {
	w.t.Helper()
	ctx := context.Background()
	if err := errors.Join(w.store.Delete(ctx, key), w.store.Create(ctx, key, strings.NewReader(string(b)))); err != nil {
		w.t.Fatal(err)
	}
}

func TestReceiptRoundTrip(t *testing.T) {
	t.Parallel()
	r := pipeline.Receipt{Version: 1, Request: pipeline.NewRequestID(), Environment: "staging", PlannedAt: time.Unix(1, 2).UTC()}
	got, err := pipeline.ParseReceipt(r.Bytes())
	if err != nil || got.Code() != r.Code() {
		t.Fatalf("%v %v", got, err)
	}
	r.Version = 2
	if _, err := pipeline.ParseReceipt(r.Bytes()); err == nil {
		t.Fatal("an unknown version was accepted")
	}
	if _, err := json.Marshal(r); err != nil {
		t.Fatal(err)
	}
}
