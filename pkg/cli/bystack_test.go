package cli

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
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

// TestRenameOfEachTool: a rename of a customer with a stack whose tool cannot copy states is
// refused before anything is read or written, and says what to do.
func TestRenameOfEachTool(t *testing.T) {
	t.Parallel()
	refused := 0
	for tool := range engines {
		t.Run(tool, func(t *testing.T) {
			w := pipelinetest.New(t)
			w.NameStacks("network", "hosts")
			w.Report(pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), "push"))), true)
			in := w.RenameInput("acme", "store")
			in.New.Manager.Stacks[0].Tool.Name, in.New.Manager.Stacks[1].Tool.Name = "terraform", tool // the state of network could be read
			engine, err := newEngine(tool, engineOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, moves := engine.(pipeline.StateMover)
			_, stateless := engine.(pipeline.Stateless)
			m := &manager{step: &step{app: &App{}}, config: config.Config{Manager: in.New.Manager}}
			job := pipeline.Job{Customer: in.New, Environment: "staging", Stack: "hosts"}
			if moves || stateless {
				if err := (moverByStack{m}).CheckMove(job); err != nil {
					t.Errorf("it can copy states, and a rename says %v", err)
				}
				return
			}
			refused++
			before := w.Keys("")
			r := w.Renamer()
			r.Engine = moverByStack{m}
			_, err = r.Run(t.Context(), in, true)
			var usage *pipeline.UsageError
			if !errors.As(err, &usage) || usage.Message != "metapipe cannot copy states to another name for the stack hosts, whose tool is "+tool || !strings.Contains(usage.Next, "customers/ its old name back") {
				t.Errorf("the rename: %v", err)
			}
			if after := w.Keys(""); !slices.Equal(before, after) {
				t.Errorf("the store had %q, and has %q", before, after)
			}
			if _, err := os.Stat(in.RunDir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("states were read: %v", err)
			}
		})
	}
	if refused < 4 {
		t.Errorf("%d tools cannot copy states, and pulumi, cloudformation, kubernetes and crossplane are four", refused)
	}
}
