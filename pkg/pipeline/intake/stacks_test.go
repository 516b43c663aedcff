package intake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// withStacks is a manager with two stacks.
func withStacks(t *testing.T, of ...pipeline.StackName) *pipelinetest.Setup {
	t.Helper()
	w := pipelinetest.New(t)
	for _, name := range []pipeline.StackName{"network", "hosts"} {
		w.Current.Manager.Stacks = append(w.Current.Manager.Stacks, pipeline.StackRule{Name: name, Root: string(name), Tool: w.Current.Manager.Tool})
	}
	w.Current.Stacks = of
	return w
}

func namesOf(r pipeline.Request) string { return strings.ReplaceAll(r.TargetNames(), ", ", " ") }

// TestTargetsWithStacks: the targets of a request are environments outside and stacks inside;
// a stack that the customer does not have is passed over.
func TestTargetsWithStacks(t *testing.T) {
	t.Parallel()
	w := withStacks(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("production one\nstaging one\n"), "push")))
	if got, want := namesOf(request), "staging/network staging/hosts production/network production/hosts"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, target := range request.Targets {
		if !request.Applies(target.Target) {
			t.Errorf("%s is not applied", target)
		}
	}
	some := withStacks(t, "hosts")
	request = pipelinetest.Must[pipeline.Request](t)(some.Send(some.Dispatch(some.Hub.Commit("staging one\n"), "pull_request")))
	if got, want := namesOf(request), "staging/hosts"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestManualRequestForStack: an operator can ask for one stack, and only for one that the
// customer has. A destroy needs its name, and may name one that the customer's file has left out.
func TestManualRequestForStack(t *testing.T) {
	t.Parallel()
	ask := func(w *pipelinetest.Setup, a intake.ManualRequest) (pipeline.Request, error) {
		w.Hub.Commit(pipelinetest.BothEnvironments)
		return w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", a))
	}
	for name, c := range map[string]struct {
		of   []pipeline.StackName
		ask  intake.ManualRequest
		want string
	}{
		"one of each environment": {ask: intake.ManualRequest{Stack: "hosts", Mode: pipeline.ModeApply}, want: "staging/hosts production/hosts"},
		"one of one":              {ask: intake.ManualRequest{Stack: "hosts", Environment: "staging", Mode: pipeline.ModeApply}, want: "staging/hosts"},
		"all of one":              {ask: intake.ManualRequest{Environment: "staging", Mode: pipeline.ModePlan}, want: "staging/network staging/hosts"},
		"not the customer's":      {of: []pipeline.StackName{"network"}, ask: intake.ManualRequest{Stack: "hosts", Mode: pipeline.ModeApply}, want: `customer acme has no stack "hosts"`},
		"unknown":                 {ask: intake.ManualRequest{Stack: "portal", Mode: pipeline.ModeApply}, want: `customer acme has no stack "portal"`},
		"destroy without a stack": {ask: intake.ManualRequest{Environment: "staging", Mode: pipeline.ModeDestroy, Confirm: "acme/staging"}, want: "one stack at a time"},
		"destroy of an unconfirmed stack": {ask: intake.ManualRequest{Environment: "staging", Stack: "hosts", Mode: pipeline.ModeDestroy, Confirm: "acme/staging"},
			want: "the destroy of acme/staging/hosts is not confirmed"},
		"destroy of another stack": {ask: intake.ManualRequest{Environment: "staging", Stack: "hosts", Mode: pipeline.ModeDestroy, Confirm: "acme/staging/network"},
			want: "the destroy of acme/staging/hosts is not confirmed"},
		"destroy of what was never applied": {of: []pipeline.StackName{"network"}, ask: intake.ManualRequest{Environment: "staging", Stack: "hosts", Mode: pipeline.ModeDestroy, Confirm: "acme/staging/hosts"},
			want: "the destroy of acme/staging/hosts is refused: no apply of it is on record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := ask(withStacks(t, c.of...), c.ask)
			if got := fmt.Sprint(namesOf(request), err); !strings.Contains(got, c.want) || err != nil && len(request.Targets) > 0 {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	w := pipelinetest.New(t)
	_, err := ask(w, intake.ManualRequest{Stack: "network", Mode: pipeline.ModeApply})
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonNotAllowed || !strings.Contains(rejected.Next, "without a stack") {
		t.Errorf("a stack of a manager without stacks: %v", err)
	}
}

// TestRemovedWithStacks: an environment that is gone from the file is named once, when any of
// its stacks was worked on.
func TestRemovedWithStacks(t *testing.T) {
	t.Parallel()
	w := withStacks(t)
	pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
	if got, want := fmt.Sprint(request.Removed), "[production]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRemovedStacks: a stack that was worked on and that the customer does not have any more is
// named, whoever has dropped it, and once it is destroyed no more.
func TestRemovedStacks(t *testing.T) {
	t.Parallel()
	w := withStacks(t)
	send := func() pipeline.Request {
		t.Helper()
		return pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	}
	if first := send(); len(first.RemovedStacks) != 0 {
		t.Errorf("never deployed: %v", first.RemovedStacks)
	}
	w.Current.Stacks = []pipeline.StackName{"network"}
	if got, want := fmt.Sprint(send().RemovedStacks), "[acme/staging/hosts acme/production/hosts]"; got != want {
		t.Errorf("the customer's file has dropped one: %s, want %s", got, want)
	}
	w.Current.Stacks, w.Current.Manager.Stacks = nil, w.Current.Manager.Stacks[1:]
	request := send()
	if got, want := fmt.Sprint(request.RemovedStacks), "[acme/staging/network acme/production/network]"; got != want || len(request.Removed) != 0 {
		t.Errorf("metapipe.yml has dropped one: %s and %v, want %s", got, request.Removed, want)
	}
	one := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
	if got := fmt.Sprint(one.Removed, one.RemovedStacks); got != "[production] [acme/staging/network]" {
		t.Errorf("an environment is gone, too: %s", got)
	}
}
