package deploy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// stackRun is a run with two stacks behind one gate. Its steps are "plan network" and
// "apply network", "fail network" for a plan that fails, "approve" for one approval of the
// environment, and "again", which begins the next attempt.
type stackRun struct {
	w       *pipelinetest.Setup
	request pipeline.Request
	attempt int
}

func newStackRun(t *testing.T) *stackRun {
	t.Helper()
	w := pipelinetest.New(t)
	w.Current.Manager.Environments[1].Gated = true
	w.Hub.ApprovalList = nil
	w.NameStacks("network", "hosts")
	return &stackRun{w, pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("production one\n"), "push"))), 1}
}

// do plays a step and returns the error of a plan or an apply.
func (r *stackRun) do(step string) error {
	what, stack, _ := strings.Cut(step, " ")
	in := pipelinetest.Stack(r.w.Target(r.request, "production"), pipeline.StackName(stack))
	in.Run.Attempt = r.attempt
	r.w.Tick()
	r.w.Engine.PlanErr = nil
	var err error
	switch what {
	case "again":
		r.attempt++
	case "approve":
		r.w.Hub.ApprovalList = append(r.w.Hub.ApprovalList, byRobin...)
	case "plan":
		_, err = r.w.Planner().Run(r.w.T.Context(), in)
	case "fail":
		r.w.Engine.PlanErr = &pipeline.FailedError{Message: "the provider did not answer"}
		if _, planErr := r.w.Planner().Run(r.w.T.Context(), in); planErr == nil {
			r.w.T.Fatal("the plan did not fail")
		}
	case "apply":
		var result deploy.TargetResult
		if result, err = r.w.Apply(in); err == nil && result.Outcome != pipeline.OutcomeApplied {
			r.w.T.Fatalf("%s: %+v", step, result)
		}
	default:
		r.w.T.Fatalf("unknown step %q", step)
	}
	return err
}

// TestApprovalOfAnotherStack: an approval that may be for another stack of the environment
// lets none pass, whatever stack runs first, fails or runs again.
func TestApprovalOfAnotherStack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps   string // the last one is looked at
		refused bool
	}{
		"each is approved":                       {"plan network, approve, apply network, plan hosts, approve, apply hosts", false},
		"the first one only":                     {"plan network, approve, apply network, plan hosts, apply hosts", true},
		"both wait, one approval":                {"plan network, plan hosts, approve, apply network", true},
		"in the next attempt, unapproved":        {"plan network, approve, apply network, again, plan hosts, apply hosts", true},
		"the second one runs again":              {"plan network, approve, apply network, fail hosts, again, plan hosts, approve, apply hosts", false},
		"the second one runs again, unapproved":  {"plan network, approve, apply network, fail hosts, again, plan hosts, apply hosts", true},
		"the second one is planned again":        {"plan network, approve, apply network, plan hosts, approve, again, plan hosts, approve, apply hosts", false},
		"the second one is planned again, alone": {"plan network, approve, apply network, plan hosts, approve, again, plan hosts, apply hosts", true},
		"all run again":                          {"plan network, approve, again, plan network, approve, apply network, plan hosts, approve, apply hosts", false},
		"all run again, the second unapproved":   {"plan network, approve, again, plan network, approve, apply network, plan hosts, apply hosts", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newStackRun(t)
			steps := strings.Split(c.steps, ", ")
			for _, step := range steps[:len(steps)-1] {
				if err := r.do(step); err != nil {
					t.Fatalf("%s: %v", step, err)
				}
			}
			applies := r.w.Engine.Applies
			err := r.do(steps[len(steps)-1])
			if !c.refused {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonMissingProtection ||
				!strings.Contains(refused.Message, "may all be for other plans of that run") || refused.Next == "" || refused.Operator == "" {
				t.Fatalf("got %v", err)
			}
			if r.w.Engine.Applies != applies {
				t.Error("it was applied all the same")
			}
		})
	}
}

// TestApprovalInAnotherEnvironment: stacks of another environment have a gate of their own.
func TestApprovalInAnotherEnvironment(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Current.Manager.Environments[0].Gated, w.Current.Manager.Environments[1].Gated = true, true
	w.NameStacks("network", "hosts")
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	w.Hub.ApprovalList = nil
	for _, target := range request.Targets {
		in := pipelinetest.Stack(w.Target(request, target.Environment), target.Stack)
		in.Run.Attempt = 1
		w.Tick()
		pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
		if _, err := w.Apply(in); err == nil {
			t.Errorf("%s is applied without an approval of its own", target)
		}
		w.Hub.ApprovalList = append(w.Hub.ApprovalList, pipelinetest.Approved(pipelinetest.Robin, target.Gate(pipeline.WorkApply)))
		if _, err := w.Apply(in); err != nil {
			t.Errorf("%s is approved: %v", target, err)
		}
	}
}
