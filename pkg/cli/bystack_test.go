package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// twoTools has a stack of each of two tools, and one whose tool metapipe has no engine for.
func twoTools() pipeline.Customer {
	return pipeline.Customer{Name: "shop", Root: "terraform", Manager: pipeline.Manager{Tool: pipeline.ToolRule{Name: "terraform"},
		Stacks: []pipeline.StackRule{{Name: "network", Root: "network", Tool: pipeline.ToolRule{Name: "terraform"}}, {Name: "app", Root: "app", Tool: pipeline.ToolRule{Name: "tofu"}},
			{Name: "hosts", Root: "hosts", Tool: pipeline.ToolRule{Name: "chef"}}}}}
}

// TestToolOfEachStack: a scan and a rename take the engine of the stack's tool, whatever the
// tool of the unnamed stack is.
func TestToolOfEachStack(t *testing.T) {
	t.Parallel()
	c, dir := twoTools(), t.TempDir()
	fleets := &fleetByTool{dir: dir, fleets: map[string]pipeline.Fleet{}}
	job := func(stack pipeline.StackName) pipeline.Job {
		return pipeline.Job{Customer: c, Environment: "staging", Stack: stack}
	}
	for _, stack := range []pipeline.StackName{"network", "app", "network", ""} {
		fleet, err := fleets.of(job(stack))
		if again, againErr := fleets.of(job(stack)); err != nil || againErr != nil || fleet != again {
			t.Errorf("%q: %v %v", stack, err, againErr)
		}
	}
	if len(fleets.fleets) != 2 || fleets.fleets["terraform"] == fleets.fleets["tofu"] {
		t.Errorf("%d fleets", len(fleets.fleets))
	}
	m := &manager{step: &step{app: &App{}}, config: config.Config{Manager: c.Manager}}
	var usage *pipeline.UsageError
	for stack, want := range map[pipeline.StackName]string{"hosts": `no engine for the tool "chef"`, "gone": `declares no stack "gone"`} {
		_, err := fleets.of(job(stack))
		if !errors.As(err, &usage) || !strings.Contains(usage.Message, want) || usage.Next == "" {
			t.Errorf("drift of %s: %v", stack, err)
		}
		if _, _, err := fleets.State(t.Context(), job(stack)); err == nil {
			t.Errorf("the state of %s was read", stack)
		}
		if _, err := fleets.Plan(t.Context(), job(stack)); err == nil {
			t.Errorf("%s was planned", stack)
		}
		mover := moverByStack{m}
		_, pullErr := mover.PullState(t.Context(), job(stack), "")
		_, pushErr := mover.PushState(t.Context(), job(stack), pipeline.KeptState{})
		_, sameErr := mover.SameState(job(stack), "", "")
		for _, err := range []error{pullErr, pushErr, sameErr} {
			if !errors.As(err, &usage) || !strings.Contains(usage.Message, want) {
				t.Errorf("a rename of %s: %v", stack, err)
			}
		}
	}
	for _, stack := range []pipeline.StackName{"network", "app", ""} {
		if _, err := (moverByStack{m}).of(job(stack)); err != nil {
			t.Errorf("%q: %v", stack, err)
		}
	}
}
