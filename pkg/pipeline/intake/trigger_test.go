package intake_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

func newTrigger(w *pipelinetest.Setup) *intake.Trigger {
	return &intake.Trigger{Own: w.Hub, Manager: w.Hub, MaxPause: 10 * time.Second, Now: func() time.Time { return w.Now }, Logf: w.Logf,
		Sleep: func(_ context.Context, d time.Duration) error { w.Now = w.Now.Add(d); return nil }}
}

func triggerInput(w *pipelinetest.Setup, event string, head pipeline.SHA) intake.TriggerInput {
	w.Hub.Paths = []string{"infra/variables.yml"}
	return intake.TriggerInput{
		Event: pipeline.Event{Name: event, Repository: pipeline.Repository{Slug: w.Current.Repository, ID: 7}, Ref: "refs/heads/main", Branch: "main", Head: head, Base: pipelinetest.ManagerCommit},
		Run:   pipeline.Run{ID: 55, Attempt: 1, URL: "https://hub/customer-run"}, Manager: pipelinetest.ManagerSlug, Path: "infra", Pickup: time.Minute, Wait: time.Hour,
	}
}

func TestTriggerSendsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(in *intake.TriggerInput, h *pipelinetest.Hub)
		state  pipeline.StatusState
	}{
		"fork":       {func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Fork = true }, ""},
		"dependabot": {func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Dependabot = true }, pipeline.StatusError},
		"dependabot, elsewhere": {func(in *intake.TriggerInput, h *pipelinetest.Hub) {
			in.Event.Dependabot, h.Paths = true, []string{"go.mod"}
		}, pipeline.StatusSuccess},
		"dependabot, not all listed": {func(in *intake.TriggerInput, h *pipelinetest.Hub) {
			in.Event.Dependabot, h.Paths, h.PathsIncomplete = true, []string{"go.mod"}, true
		}, pipeline.StatusError},
		"dependabot, a token that only reads": {func(in *intake.TriggerInput, h *pipelinetest.Hub) {
			in.Event.Dependabot, h.Paths = true, []string{"go.mod"}
			h.Refuse = func(string) error { return &pipeline.PermanentError{Cause: "may-not", Err: errors.New("HTTP 403")} }
		}, ""},
		"closed": {func(in *intake.TriggerInput, _ *pipelinetest.Hub) {
			in.Event.Name, in.Event.Closed = "pull_request", true
		}, ""},
		"merged and labeled": {func(in *intake.TriggerInput, _ *pipelinetest.Hub) {
			in.Event.Name, in.Event.Action, in.Event.Closed = "pull_request", "labeled", true
		}, ""},
		"labeled": {func(in *intake.TriggerInput, _ *pipelinetest.Hub) {
			in.Event.Name, in.Event.Action = "pull_request", "labeled"
		}, ""},
		"labeled, elsewhere": {func(in *intake.TriggerInput, h *pipelinetest.Hub) {
			in.Event.Name, in.Event.Action, h.Paths = "pull_request", "labeled", nil
		}, ""},
		"merge group is gone": {func(in *intake.TriggerInput, _ *pipelinetest.Hub) {
			in.Event.Name, in.Event.Action = "merge_group", "destroyed"
		}, ""},
		"tag":            {func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Ref = "refs/tags/v1" }, ""},
		"deleted branch": {func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Deleted = true }, ""},
		"no change under path": {func(_ *intake.TriggerInput, h *pipelinetest.Hub) {
			h.Paths = []string{"app/main.go", "infra.md", "infrared/x"}
		}, pipeline.StatusSuccess},
	} {
		w := pipelinetest.New(t)
		commit := w.Hub.Commit(pipelinetest.BothEnvironments)
		in := triggerInput(w, "push", commit)
		c.change(&in, w.Hub)
		got, err := newTrigger(w).Run(context.Background(), in)
		if err != nil || got.Skipped == "" || len(w.Hub.Dispatched) != 0 {
			t.Errorf("%s: %+v %v, %d dispatched", name, got, err, len(w.Hub.Dispatched))
		}
		if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State != c.state {
			t.Errorf("%s: status %+v", name, s)
		}
	}
}

func TestTriggerStopsAtProblems(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	trigger := newTrigger(w)
	trigger.Validate = func(context.Context) pipeline.Problems {
		return pipeline.Problems{{Position: pipeline.Position{File: "infra/variables.yml", Line: 1}, Rule: "y", Message: "advice", Warning: true},
			{Position: pipeline.Position{File: "infra/variables.yml", Line: 3, Column: 1}, Rule: "x", Message: strings.Repeat("wröng 字 ", 60)}}
	}
	_, err := trigger.Run(context.Background(), triggerInput(w, "push", commit))
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || len(w.Hub.Dispatched) != 0 {
		t.Fatalf("%v", err)
	}
	if !pipelinetest.ContainsAll(err.Error(), "no comment follows", "the summary of this job lists all of them") {
		t.Errorf("%v", err)
	}
	s := w.Hub.Status(commit, "infra/terraform-deploy")
	if s.State != pipeline.StatusFailure || !pipelinetest.ContainsAll(s.Description, "infra/variables.yml:3:1: wröng", "Nothing was sent; see the job summary", "no comment follows") || utf8.RuneCountInString(s.Description) > pipeline.StatusLimit {
		t.Fatalf("%+v", s)
	}
}

// TestTriggerActions: only what brings something new to plan asks for a plan; nothing else
// touches the status of the head, whatever goes wrong beside it.
func TestTriggerActions(t *testing.T) {
	t.Parallel()
	planned := []string{"opened", "reopened", "synchronize", "ready_for_review"}
	for _, action := range append(planned, "assigned", "unassigned", "labeled", "unlabeled", "edited", "closed", "locked", "unlocked", "converted_to_draft", "enqueued", "dequeued",
		"auto_merge_enabled", "milestoned", "review_requested", "a_later_one") {
		w := pipelinetest.New(t)
		commit := w.Hub.Commit(pipelinetest.BothEnvironments)
		in := triggerInput(w, "pull_request", commit)
		in.Event.Action, in.Wait = action, 0
		postStatus(w, commit, "infra/terraform-deploy", pipeline.StatusFailure, "1 of 2 failed (00000000)", "")
		got, err := newTrigger(w).Run(context.Background(), in)
		if sent := len(w.Hub.Dispatched) == 1; sent != slices.Contains(planned, action) {
			t.Errorf("%s: sent %v, %+v, %v", action, sent, got, err)
		}
		if slices.Contains(planned, action) {
			continue
		}
		if err := newTrigger(w).Unsent(context.Background(), in, errors.New("no secret")); err == nil {
			t.Errorf("%s: the error is lost", action)
		}
		if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusFailure || got.Skipped == "" || err != nil {
			t.Errorf("%s: status %+v, %+v, %v", action, s, got, err)
		}
	}
}

// TestTriggerCannotAsk: events that deploy nothing are refused before anything is asked.
func TestTriggerCannotAsk(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"schedule", "repository_dispatch", "release"} {
		w := pipelinetest.New(t)
		_, err := newTrigger(w).Run(context.Background(), triggerInput(w, event, w.Hub.Commit(pipelinetest.BothEnvironments)))
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || len(w.Hub.Dispatched)+len(w.Hub.StatusOf) != 0 {
			t.Errorf("%s: %v", event, err)
		}
	}
}

// TestDependabotSaysWhatToDo: the status names the way to a plan, within GitHub's limit.
func TestDependabotSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	in := triggerInput(w, "pull_request", commit)
	in.Event.Dependabot, in.Manager = true, pipeline.Slug{}
	got, err := newTrigger(w).Run(context.Background(), in)
	s := w.Hub.Status(commit, "infra/terraform-deploy")
	if err != nil || !strings.Contains(got.Skipped, "by hand") || !strings.Contains(s.Description, "by hand") || utf8.RuneCountInString(s.Description) > 140 || s.TargetURL == "" {
		t.Errorf("%+v, %v, status %+v", got, err, s)
	}
	if writes := w.Hub.Writes; writes != 1 {
		t.Errorf("%d writes", writes)
	}
	if again, err := newTrigger(w).Run(context.Background(), in); err != nil || again.Skipped != got.Skipped || w.Hub.Writes != 1 {
		t.Errorf("again: %+v, %v, %d writes", again, err, w.Hub.Writes)
	}
	in.Event.Head = w.Hub.Commit(pipelinetest.BothEnvironments)
	w.Hub.Refuse = func(string) error {
		return &pipeline.PermanentError{Err: errors.New("HTTP 403: Resource not accessible by integration")}
	}
	if got, err = newTrigger(w).Run(context.Background(), in); err != nil || !strings.Contains(got.Skipped, "statuses: write") {
		t.Errorf("refused: %+v, %v", got, err)
	}
	w.Hub.Refuse = func(string) error { return errors.New("HTTP 502") }
	if _, err = newTrigger(w).Run(context.Background(), in); err == nil {
		t.Error("a status that could not be posted for now is lost")
	}
}

// sentDispatch reads what was dispatched.
func sentDispatch(w *pipelinetest.Setup) pipeline.DispatchRequest {
	w.T.Helper()
	p, err := pipeline.ParsePayload(w.Hub.Dispatched[len(w.Hub.Dispatched)-1])
	if err != nil {
		w.T.Fatal(err)
	}
	return p.Request
}

func TestTriggerFollowsItsOwnRequest(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	polls := 0
	set := func(name string, state pipeline.StatusState, description string) {
		if err := w.Hub.SetStatus(context.Background(), pipeline.Slug{}, commit, pipeline.Status{Context: name, State: state, Description: description, TargetURL: "https://hub/manager-run"}, nil); err != nil {
			t.Error(err)
		}
	}
	w.Hub.OnPoll = func() {
		polls++
		if len(w.Hub.Dispatched) == 0 {
			return
		}
		tag := " (" + sentDispatch(w).ID.Short() + ")"
		switch polls {
		case 1: // someone else's request on the same commit has ended
			set("infra/terraform-deploy", pipeline.StatusFailure, "failed (deadbeef)")
		case 2:
			set("infra/terraform-deploy", pipeline.StatusPending, "Accepted"+tag)
		case 3: // one environment is done, the request is not
			set("infra/terraform-deploy/staging", pipeline.StatusSuccess, "Applied"+tag)
		case 4:
			w.Hub.DeploymentList = []pipeline.Deployment{{SHA: commit, Environment: "infra/staging", State: "success", Payload: pipeline.DeploymentPayload{Request: sentDispatch(w).ID, Environment: "staging", Outputs: map[string]string{"url": `"u"`}}},
				{SHA: commit, Environment: "infra/staging", State: "success", Payload: pipeline.DeploymentPayload{Environment: "staging", Outputs: map[string]string{"url": `"old"`}}}}
			set("infra/terraform-deploy", pipeline.StatusSuccess, "Applied"+tag)
		}
	}
	got, err := newTrigger(w).Run(context.Background(), triggerInput(w, "push", commit))
	if err != nil || got.Outcome != pipeline.OutcomeApplied || got.RunURL != "https://hub/manager-run" || polls != 4 {
		t.Fatalf("%+v %v after %d polls", got, err, polls)
	}
	if len(got.Outputs) != 1 || got.Outputs["staging"]["url"] != `"u"` {
		t.Fatalf("outputs %v", got.Outputs)
	}
}

func TestTriggerDeadlines(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	in := triggerInput(w, "push", commit)
	_, err := newTrigger(w).Run(context.Background(), in)
	var waiting *pipeline.WaitingError
	if !errors.As(err, &waiting) || waiting.Stage != "picked-up" {
		t.Fatalf("%v", err)
	}
	if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusError {
		t.Fatalf("not picked up, and the status is %+v", s)
	}
	tag := " (" + sentDispatch(w).ID.Short() + ")"
	if err := w.Hub.SetStatus(context.Background(), pipeline.Slug{}, commit, pipeline.Status{Context: "infra/terraform-deploy", State: pipeline.StatusPending, Description: "Waiting for approval" + tag}, nil); err != nil {
		t.Fatal(err)
	}
	in.Run.Attempt = 2
	_, err = newTrigger(w).Run(context.Background(), in)
	if !errors.As(err, &waiting) || waiting.Stage != "end" || len(w.Hub.Dispatched) != 1 {
		t.Fatalf("a re-run must go on waiting for the same request: %v, %d dispatched", err, len(w.Hub.Dispatched))
	}
}

func TestModeCanOnlyShrink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event string
		asked pipeline.Mode
		want  pipeline.Mode
	}{
		{"push", "apply", "apply"}, {"push", "plan", "plan"}, {"push", "dry-run", "dry-run"},
		{"pull_request", "apply", "plan"}, {"merge_group", "apply", "plan"}, {"pull_request", "dry-run", "dry-run"},
	} {
		w := pipelinetest.New(t)
		a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), c.event)
		a.Mode = c.asked
		request, err := w.Send(a)
		if err != nil || request.Mode != c.want {
			t.Errorf("%s asking for %s: got %s, %v", c.event, c.asked, request.Mode, err)
		}
	}
}

// noToken is an error that can say itself in a few words.
type noToken struct{}

func (noToken) Error() string { return "HTTP 429" }

func (noToken) Short() string { return "the runner gave no ID token" }

// A request that was not sent leaves no required check without an answer, which says
// what to do however long the rest of it is.
func TestTriggerCannotSend(t *testing.T) {
	t.Parallel()
	forbidden := errors.New("403 Forbidden")
	for name, c := range map[string]struct {
		spoil func(w *pipelinetest.Setup, tr *intake.Trigger, in *intake.TriggerInput)
		says  []string
	}{
		"dispatch": {func(w *pipelinetest.Setup, _ *intake.Trigger, _ *intake.TriggerInput) {
			w.Hub.DispatchError = forbidden
		}, []string{"Not sent to ops/manager: ", "see the log of this job, then run it again"}},
		"token": {func(_ *pipelinetest.Setup, tr *intake.Trigger, _ *intake.TriggerInput) {
			tr.IDToken = func(context.Context, string) (string, error) { return "", noToken{} }
		}, []string{"the runner gave no ID token; run this job again"}},
		"permission": {func(_ *pipelinetest.Setup, tr *intake.Trigger, _ *intake.TriggerInput) {
			tr.IDToken = func(context.Context, string) (string, error) {
				return "", &pipeline.UsageError{Message: strings.Repeat("ä long message ", 30)}
			}
		}, []string{"Not sent to ops/manager: ä long", "see the log of this job"}},
		"long manager": {func(w *pipelinetest.Setup, _ *intake.Trigger, in *intake.TriggerInput) {
			w.Hub.DispatchError, in.Manager.Name = forbidden, strings.Repeat("n", 100)
		}, []string{"see the log of this job, then run it again"}},
		"earlier attempt": {func(w *pipelinetest.Setup, _ *intake.Trigger, in *intake.TriggerInput) {
			w.Hub.StatusesError, in.Run.Attempt = forbidden, 2
		}, []string{"see the log of this job, then run it again"}},
	} {
		w := pipelinetest.New(t)
		commit := w.Hub.Commit(pipelinetest.BothEnvironments)
		in, tr := triggerInput(w, "push", commit), newTrigger(w)
		c.spoil(w, tr, &in)
		if _, err := tr.Run(context.Background(), in); err == nil || len(w.Hub.Dispatched) != 0 {
			t.Errorf("%s: %v", name, err)
		}
		s := w.Hub.Status(commit, "infra/terraform-deploy")
		if s.State != pipeline.StatusError || utf8.RuneCountInString(s.Description) > 140 || s.TargetURL != in.Run.URL {
			t.Errorf("%s: %+v", name, s)
		}
		for _, want := range c.says {
			if !strings.Contains(s.Description, want) {
				t.Errorf("%s: %q lacks %q", name, s.Description, want)
			}
		}
	}
}

// TestTriggerSeesItsPath: a change counts as one of the path also where a link, a file
// or a submodule stands in the place of the directory; and what GitHub did not list
// counts as unknown.
func TestTriggerSeesItsPath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paths      []string
		incomplete bool
		sent       bool
	}{
		"a file below it":          {paths: []string{"live/eu/variables.yml"}, sent: true},
		"the directory is a link":  {paths: []string{"live/eu"}, sent: true},
		"its parent is a link":     {paths: []string{"README.md", "live"}, sent: true},
		"names that begin alike":   {paths: []string{"live/eu-west/x", "live/eu.md", "liv", "live/e"}},
		"another case":             {paths: []string{"Live/eu/variables.yml"}},
		"nothing":                  {},
		"nothing, but not all":     {paths: []string{"app/1"}, incomplete: true, sent: true},
		"something, but not all":   {paths: []string{"live/eu/x"}, incomplete: true, sent: true},
		"a parent with more names": {paths: []string{"live/x"}},
	} {
		w := pipelinetest.New(t)
		in := triggerInput(w, "push", w.Hub.Commit(pipelinetest.BothEnvironments))
		w.Hub.Paths, w.Hub.PathsIncomplete, in.Path, in.Wait = c.paths, c.incomplete, "live/eu", 0
		_, err := newTrigger(w).Run(context.Background(), in)
		if sent := len(w.Hub.Dispatched) == 1; sent != c.sent {
			t.Errorf("%s: sent %v, %v", name, sent, err)
		}
	}
}

// TestTriggerNeedsItsDirectory: a path that the checkout does not hold never gets a
// green status, and the change that takes it away is reported as one.
func TestTriggerNeedsItsDirectory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*intake.TriggerInput, *pipelinetest.Hub)
		says   string
	}{
		"nothing changes there": {func(_ *intake.TriggerInput, h *pipelinetest.Hub) { h.Paths = []string{"app/x"} }, "no directory"},
		"a manual run":          {func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Name = "workflow_dispatch" }, "no directory"},
		"a new branch":          {func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Base = "" }, "no directory"},
		"it is taken away":      {func(*intake.TriggerInput, *pipelinetest.Hub) {}, "no such file"},
	} {
		w := pipelinetest.New(t)
		commit := w.Hub.Commit(pipelinetest.BothEnvironments)
		in := triggerInput(w, "push", commit)
		c.change(&in, w.Hub)
		trigger := newTrigger(w)
		trigger.Directory = func() error { return &pipeline.UsageError{Message: "no directory"} }
		trigger.Validate = func(context.Context) pipeline.Problems {
			return pipeline.Problems{{Position: pipeline.Position{File: "infra/variables.yml"}, Rule: "missing-file", Message: "no such file"}}
		}
		_, err := trigger.Run(context.Background(), in)
		if err == nil || !strings.Contains(err.Error(), c.says) || len(w.Hub.Dispatched) != 0 {
			t.Errorf("%s: %v", name, err)
		}
		if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusError && s.State != pipeline.StatusFailure || !strings.Contains(s.Description, c.says) {
			t.Errorf("%s: status %+v", name, s)
		}
	}
}
