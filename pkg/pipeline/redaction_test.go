package pipeline_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// internals is a target with INTERNAL in all that only the provider knows, and
// SHOWN in what the level "summary" leaves.
func internals() pipeline.TargetReport {
	value := pipeline.Value{Text: `"INTERNAL"`}
	change := pipeline.ResourceChange{Address: "SHOWN.a", PreviousAddress: "SHOWN.b", Module: "SHOWN.m", Type: "SHOWN", Deposed: "INTERNAL", Action: pipeline.ActionReplace, Reason: "SHOWN",
		ImportID: "INTERNAL", ImportIdentity: `{"id":"INTERNAL"}`, Imports: true, Deferred: "SHOWN",
		Causes:     []pipeline.Cause{{Path: "SHOWN.key", Before: pipeline.Value{Text: `"SHOWN"`}}, {Local: "local.INTERNAL", Where: pipeline.Position{File: "INTERNAL.tf"}}},
		Attributes: []pipeline.AttributeChange{{Path: "INTERNAL", Before: value, After: value, ForcesReplacement: true}}}
	theirs := pipeline.Diagnostic{Summary: "SHOWN", Detail: "INTERNAL", Address: "SHOWN.c", Where: pipeline.Position{File: "INTERNAL.tf", Line: 1}, Code: "INTERNAL",
		Source: pipeline.Position{File: "infra/SHOWN.yml", Line: 3}, Exact: true, Remedy: "SHOWN"}
	ours := pipeline.Diagnostic{Summary: "INTERNAL error", Detail: "INTERNAL detail", Address: "SHOWN.d", Where: pipeline.Position{File: "INTERNAL.tf", Line: 2}, Code: "INTERNAL", Remedy: "ask INTERNAL"}
	return pipeline.TargetReport{
		Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomeFailed, Message: "plan of a/staging failed: INTERNAL error (INTERNAL.tf:2)", Next: "the manager's maintainers mend INTERNAL.tf:2",
		Composed: pipeline.Composition{Cut: true, Objects: []pipeline.ComposedObject{{Address: "SHOWN.k", Depth: 1, Resource: "SHOWN", State: pipeline.ComposedNotReady, Detail: "INTERNAL"}}},
		Plan: &pipeline.Plan{Composed: pipeline.Composition{Objects: []pipeline.ComposedObject{{Address: "SHOWN.k", Resource: "SHOWN", Detail: "INTERNAL"}}}, Counts: pipeline.Counts{Replace: 1}, Changes: []pipeline.ResourceChange{change}, Drift: []pipeline.ResourceChange{change},
			Deferred:    []pipeline.ResourceChange{change},
			Invocations: []pipeline.Invocation{{Address: "SHOWN.act", Event: "SHOWN", Resource: "SHOWN.a", OnFailure: "SHOWN", Deferred: "SHOWN", Arguments: []pipeline.AttributeChange{{Path: "INTERNAL", After: value}}}},
			Unknown:     []string{"SHOWN_member"},
			Outputs:     []pipeline.OutputChange{{Name: "SHOWN_out", Action: pipeline.ActionUpdate, Before: value, After: value}},
			Checks:      []pipeline.Check{{Address: "check.SHOWN", Status: "fail", Messages: []string{"INTERNAL"}}}, Diagnostics: []pipeline.Diagnostic{theirs, ours}},
		Diagnostics: []pipeline.Diagnostic{ours, theirs},
		Done:        []pipeline.AppliedResource{{Address: "SHOWN.e", Action: pipeline.ActionCreate}},
		Outputs:     []pipeline.Output{{Name: "url", Value: `"SHOWN to the customer"`}, {Name: "password", Sensitive: true}},
	}
}

func asText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	before := internals()
	for _, level := range []pipeline.Redaction{"", pipeline.RedactionValues} {
		if got := before.Redacted(level); !reflect.DeepEqual(got, before) {
			t.Errorf("level %q changes something: %+v", level, got)
		}
	}
	for _, level := range []pipeline.Redaction{pipeline.RedactionSummary, "of a later metapipe"} {
		text := asText(t, before.Redacted(level))
		if strings.Contains(text, "INTERNAL") {
			t.Errorf("level %q shows internals: %s", level, text)
		}
		if want, got := strings.Count(asText(t, before), "SHOWN"), strings.Count(text, "SHOWN"); want != got {
			t.Errorf("level %q shows %d of %d texts: %s", level, got, want, text)
		}
	}
	if !reflect.DeepEqual(before, internals()) {
		t.Error("the plan itself was changed")
	}
	redacted := before.Redacted(pipeline.RedactionSummary)
	if !reflect.DeepEqual(redacted.Redacted(pipeline.RedactionSummary), redacted) {
		t.Error("the second time gives something else")
	}
	if redacted.Plan.HasChanges() != before.Plan.HasChanges() || redacted.Plan.Counts != before.Plan.Counts {
		t.Error("the plan seems to do something else")
	}
}

// TestRedactedKeepsOurWords: a message that quotes nothing of the tool stays.
func TestRedactedKeepsOurWords(t *testing.T) {
	t.Parallel()
	target := internals()
	target.Message, target.Next = "staging did not succeed", "run `metapipe state recover`"
	got := target.Redacted(pipeline.RedactionSummary)
	if got.Message != target.Message || got.Next != target.Next {
		t.Errorf("%q → %q", got.Message, got.Next)
	}
}

func TestRedactedDriftFailure(t *testing.T) {
	t.Parallel()
	target := internals()
	failure := drift.Failure{Cause: "tool", Message: target.Message, Next: target.Next, Diagnostics: target.Diagnostics}
	if got := failure.Redacted(pipeline.RedactionValues); !reflect.DeepEqual(got, failure) {
		t.Errorf("values: %+v", got)
	}
	if text := asText(t, failure.Redacted(pipeline.RedactionSummary)); strings.Contains(text, "INTERNAL") || !strings.Contains(text, "SHOWN.yml") {
		t.Errorf("summary: %s", text)
	}
}

func TestRedactionIsOrdered(t *testing.T) {
	t.Parallel()
	if !pipeline.RedactionValues.LooserThan(pipeline.RedactionSummary) || pipeline.RedactionSummary.LooserThan(pipeline.RedactionValues) ||
		pipeline.Redaction("").LooserThan(pipeline.RedactionValues) || !pipeline.Redaction("").LooserThan(pipeline.RedactionSummary) {
		t.Error("the levels are not in order")
	}
}

// TestReportRedacts: what a tool said of its own code reaches no one at this level.
func TestReportRedacts(t *testing.T) {
	t.Parallel()
	for level, shown := range map[pipeline.Redaction]bool{pipeline.RedactionValues: true, pipeline.RedactionSummary: false} {
		w := pipelinetest.New(t)
		w.Current.Manager.Redaction = level
		w.Engine.PlanErr = &pipeline.FailedError{Message: "plan of acme/staging failed: broken", Next: "mend broken things"}
		request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
		if _, err := w.Plan(request, "staging"); !errors.Is(err, w.Engine.PlanErr) {
			t.Fatal(err)
		}
		if text := asText(t, w.Report(request, true)); strings.Contains(text, "broken") != shown {
			t.Errorf("level %s: %s", level, text)
		}
	}
}

// TestErrorsOnTheWayAreHidden: what a store says names the manager's own places.
func TestErrorsOnTheWayAreHidden(t *testing.T) {
	t.Parallel()
	for level, shown := range map[pipeline.Redaction]bool{pipeline.RedactionValues: true, pipeline.RedactionSummary: false} {
		for _, final := range []bool{false, true} {
			w := pipelinetest.New(t)
			w.Current.Manager.Redaction = level
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			w.Engine.ApplyErr = errors.New("no answer from https://states.internal.example")
			if _, err := w.Apply(w.Target(request, "staging")); err == nil {
				t.Fatal("it was applied")
			}
			got := w.Report(request, final).Targets[0]
			if strings.Contains(got.Message+got.Next, "internal.example") != shown || got.Message == "" {
				t.Errorf("%s, final %v: %s: %q → %q", level, final, got.Outcome, got.Message, got.Next)
			}
		}
	}
}
