package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestTriggerStages lets a request stop at each stage, and counts what the wait
// asks of GitHub.
func TestTriggerStages(t *testing.T) {
	t.Parallel()
	receipt := "https://hub/manager-run#receipt-" + strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		staging, production string // target URL of the pending status; "done" is final, empty is none
		wait                time.Duration
		stage, says         string
	}{
		"nobody picks it up":          {wait: time.Hour, stage: "picked-up", says: "was not picked up by ops/manager within 1m0s"},
		"no plan in its time":         {staging: "https://hub/manager-run", production: "https://hub/manager-run", wait: 30 * time.Hour, stage: "planned", says: "has no plan for production after 2h0m0s"},
		"no plan in the wait":         {staging: "https://hub/manager-run", wait: 30 * time.Minute, stage: "planned", says: "has not ended after 30m0s"},
		"nobody approves":             {staging: receipt, production: "https://hub/manager-run", wait: 30 * time.Minute, stage: "applied", says: "the plan of staging is made: waiting for its approval"},
		"nobody approves the second":  {staging: "done", production: receipt, wait: 30 * time.Minute, stage: "applied", says: "the plan of production is made"},
		"the finaliser does not come": {staging: "done", production: "done", wait: 30 * time.Minute, stage: "end", says: "has not ended after 30m0s: waiting for the end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			commit := w.hub.commit(bothEnvironments)
			in := w.triggerInput("push", commit)
			in.Wait = c.wait
			polls := 0
			w.hub.onPoll = func() {
				polls++
				if len(w.hub.dispatched) == 0 || c.stage == "picked-up" {
					return
				}
				tag := " (" + w.sentAsk().ID.Short() + ")"
				w.postStatus(commit, "infra/terraform-deploy", pipeline.StatusPending, "Accepted"+tag, "https://hub/manager-run")
				for env, url := range map[string]string{"staging": c.staging, "production": c.production} {
					switch url {
					case "":
					case "done":
						w.postStatus(commit, "infra/terraform-deploy/"+env, pipeline.StatusSuccess, "Applied"+tag, receipt)
					default:
						w.postStatus(commit, "infra/terraform-deploy/"+env, pipeline.StatusPending, "words that nobody reads"+tag, url)
					}
				}
			}
			trigger := w.trigger()
			trigger.MaxPause = 45 * time.Second
			var told []string
			trigger.Tell = func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
			result, err := trigger.Run(context.Background(), in)
			var waiting *pipeline.WaitingError
			if !errors.As(err, &waiting) || waiting.Stage != c.stage || result.Stage != c.stage || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("stage %q: %v", result.Stage, err)
			}
			if c.wait <= time.Hour && polls >= 60 {
				t.Errorf("%d questions to GitHub", polls)
			}
			if c.stage == "applied" && !contains(strings.Join(told, "\n"), "waiting for its approval") {
				t.Errorf("the stage was not told: %q", told)
			}
		})
	}
}

func (w *world) postStatus(sha pipeline.SHA, name string, state pipeline.StatusState, description, url string) {
	w.t.Helper()
	if err := w.hub.SetStatus(context.Background(), pipeline.Slug{}, sha, pipeline.Status{Context: name, State: state, Description: description, TargetURL: url}); err != nil {
		w.t.Error(err)
	}
}
