package intake_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestTriggerTellsStacksApart: two stacks of one environment have a stage and outputs each,
// also where one of them changed nothing and its newest deployment holds.
func TestTriggerTellsStacksApart(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	post := func(name string, state pipeline.StatusState, says, url string) {
		s := pipeline.Status{Context: "infra/terraform-deploy" + name, State: state, Description: says + " (" + sentDispatch(w).ID.Short() + ")", TargetURL: url}
		if err := w.Hub.SetStatus(t.Context(), pipeline.Slug{}, commit, s, nil); err != nil {
			t.Error(err)
		}
	}
	deployed := func(request pipeline.RequestID, stack pipeline.StackName, id string) pipeline.Deployment {
		return pipeline.Deployment{SHA: commit, Environment: "infra/staging/" + string(stack), State: "success",
			Payload: pipeline.DeploymentPayload{Request: request, Environment: "staging", Stack: stack, Outputs: map[string]string{"id": id}}}
	}
	polls := 0
	w.Hub.OnPoll = func() {
		if len(w.Hub.Dispatched) == 0 {
			return
		}
		switch polls++; polls {
		case 1:
			post("", pipeline.StatusPending, "Accepted", "https://hub/manager-run")
			post("/staging/network", pipeline.StatusPending, "Waiting for approval", "https://hub/manager-run#approval-"+strings.Repeat("a", 64))
			post("/staging/hosts", pipeline.StatusPending, "Accepted", "https://hub/manager-run")
		case 2:
			post("/staging/network", pipeline.StatusSuccess, "Applied", "https://hub/manager-run")
			post("/staging/hosts", pipeline.StatusPending, "Waiting for approval", "https://hub/manager-run#approval-"+strings.Repeat("b", 64))
		case 3:
			post("/staging/hosts", pipeline.StatusSuccess, "No changes", "https://hub/manager-run")
			w.Hub.DeploymentList = []pipeline.Deployment{deployed(sentDispatch(w).ID, "network", `"vpc-1"`), deployed("", "hosts", `"i-1"`)}
			post("", pipeline.StatusSuccess, "Applied", "https://hub/manager-run")
		}
	}
	trigger := newTrigger(w)
	var says []string
	log := trigger.Logf
	trigger.Logf = func(format string, args ...any) {
		log(format, args...)
		says = append(says, fmt.Sprintf(format, args...))
	}
	got, err := trigger.Run(t.Context(), triggerInput(w, "push", commit))
	if err != nil || got.Outcome != pipeline.OutcomeApplied || len(got.Targets) != 2 || got.Targets[0].Name != "staging/hosts" || got.Targets[1].Name != "staging/network" {
		t.Fatalf("%+v %v", got, err)
	}
	if len(got.Outputs) != 2 || got.Outputs["staging/network"]["id"] != `"vpc-1"` || got.Outputs["staging/hosts"]["id"] != `"i-1"` {
		t.Errorf("outputs %v", got.Outputs)
	}
	for _, stage := range []string{"the plan of staging/network is made: waiting for its approval", "the plan of staging/hosts is made: waiting for its approval"} {
		if !strings.Contains(strings.Join(says, "\n"), stage) {
			t.Errorf("it does not say %q: %q", stage, says)
		}
	}
}
