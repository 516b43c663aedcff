package intake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestTriggerStages lets a request stop at each stage, and counts what the wait
// asks of GitHub.
func TestTriggerStages(t *testing.T) {
	t.Parallel()
	marked := func(mark string) string { return "https://hub/manager-run#" + mark + "-" + strings.Repeat("ab", 32) }
	receipt := marked("receipt")
	for name, c := range map[string]struct {
		staging, production string // target URL of the pending status; "done" is final, empty is none
		wait                time.Duration
		stage, says         string
	}{
		"nobody picks it up":          {wait: time.Hour, stage: "picked-up", says: "was not picked up by ops/manager within 1m0s"},
		"no plan in its time":         {staging: "https://hub/manager-run", production: "https://hub/manager-run", wait: 30 * time.Hour, stage: "planned", says: "has no plan for production after 2h0m0s"},
		"no plan in the wait":         {staging: "https://hub/manager-run", wait: 30 * time.Minute, stage: "planned", says: "has not ended after 30m0s"},
		"nobody approves":             {staging: marked("approval"), production: "https://hub/manager-run", wait: 30 * time.Minute, stage: "approved", says: "the plan of staging is made: waiting for its approval since"},
		"nobody approves for days":    {staging: marked("approval"), wait: 72 * time.Hour, stage: "approved", says: "has not ended after 72h0m0s"},
		"nobody approves the second":  {staging: "done", production: marked("approval"), wait: 30 * time.Minute, stage: "approved", says: "ask a reviewer of ops/manager to approve"},
		"no gate, and no job":         {staging: receipt, production: "https://hub/manager-run", wait: 30 * time.Minute, stage: "applied", says: "the plan of staging is made: waiting for its apply to begin since"},
		"it is being applied":         {staging: "done", production: marked("applying"), wait: 30 * time.Minute, stage: "applied", says: "the plan of production is being applied since"},
		"no apply in its time":        {staging: marked("applying"), wait: 72 * time.Hour, stage: "applied", says: "is still being applied to staging after 6h0m0s"},
		"the finalizer does not come": {staging: "done", production: "done", wait: 30 * time.Minute, stage: "end", says: "has not ended after 30m0s: waiting for the end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			commit := w.Hub.Commit(pipelinetest.BothEnvironments)
			in := triggerInput(w, "push", commit)
			in.Wait = c.wait
			polls := 0
			w.Hub.OnPoll = func() {
				polls++
				if len(w.Hub.Dispatched) == 0 || c.stage == "picked-up" {
					return
				}
				tag := " (" + sentDispatch(w).ID.Short() + ")"
				postStatus(w, commit, "infra/terraform-deploy", pipeline.StatusPending, "Accepted"+tag, "https://hub/manager-run")
				for env, url := range map[string]string{"staging": c.staging, "production": c.production} {
					switch url {
					case "":
					case "done":
						postStatus(w, commit, "infra/terraform-deploy/"+env, pipeline.StatusSuccess, "Applied"+tag, receipt)
					default:
						postStatus(w, commit, "infra/terraform-deploy/"+env, pipeline.StatusPending, "words that nobody reads"+tag, url)
					}
				}
			}
			trigger := newTrigger(w)
			trigger.MaxPause = 45 * time.Second
			var reported []string
			trigger.Logf = func(format string, args ...any) { reported = append(reported, fmt.Sprintf(format, args...)) }
			result, err := trigger.Run(context.Background(), in)
			var waiting *pipeline.WaitingError
			if !errors.As(err, &waiting) || waiting.Stage != c.stage || result.Stage != c.stage || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("stage %q: %v", result.Stage, err)
			}
			if c.wait <= time.Hour && polls >= 60 {
				t.Errorf("%d questions to GitHub", polls)
			}
			if all := strings.Join(reported, "\n"); pipelinetest.ContainsAll(all, "waiting for its approval") != (c.stage == "approved") {
				t.Errorf("the stage was not told: %q", reported)
			}
		})
	}
}

func postStatus(w *pipelinetest.Setup, sha pipeline.SHA, name string, state pipeline.StatusState, description, url string) {
	w.T.Helper()
	if err := w.Hub.SetStatus(context.Background(), pipeline.Slug{}, sha, pipeline.Status{Context: name, State: state, Description: description, TargetURL: url}, nil); err != nil {
		w.T.Error(err)
	}
}
