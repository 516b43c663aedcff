package intake_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestPlannedOnlyWaits: a target of a push waits where its plan has changes that no one
// applies, and where its status does not prove the opposite. One of a merge queue, which asks for a plan, does not.
func TestPlannedOnlyWaits(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		event   string
		mode    pipeline.Mode
		url     string
		outcome pipeline.Outcome
		waits   bool
	}{
		"planned":              {"push", pipeline.ModeApply, "https://hub/run#planned-" + digest, pipeline.OutcomePlanned, true},
		"no changes":           {"push", pipeline.ModeApply, "https://hub/run#receipt-" + digest, pipeline.OutcomeNoChanges, false},
		"no deployment yet":    {"push", pipeline.ModeApply, "https://hub/run#undeployed-" + digest, pipeline.OutcomeNoChanges, false},
		"no receipt":           {"push", pipeline.ModeApply, "https://hub/run", pipeline.OutcomePlanned, true},
		"asked to plan":        {"push", pipeline.ModePlan, "https://hub/run#planned-" + digest, pipeline.OutcomePlanned, true},
		"planned, merge group": {"merge_group", pipeline.ModeApply, "https://hub/run#planned-" + digest, pipeline.OutcomePlanned, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			commit := w.Hub.Commit(pipelinetest.BothEnvironments)
			in := triggerInput(w, c.event, commit)
			in.Mode = c.mode
			w.Hub.OnPoll = func() {
				if len(w.Hub.Dispatched) == 0 {
					return
				}
				tag := " (" + sentDispatch(w).ID.Short() + ")"
				postStatus(w, commit, "infra/terraform-deploy/staging", pipeline.StatusSuccess, "words that nobody reads"+tag, c.url)
				postStatus(w, commit, "infra/terraform-deploy", pipeline.StatusSuccess, "the same"+tag, "https://hub/run")
			}
			got, err := newTrigger(w).Run(t.Context(), in)
			if err != nil || got.Outcome != c.outcome || len(got.Targets) != 1 || got.Targets[0].Waits != c.waits {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
