package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// CancelRun asks GitHub to end a workflow run; one that has ended already is no
// error. Its jobs with `if: always()` still run, unless force is set.
// https://docs.github.com/rest/actions/workflow-runs#force-cancel-a-workflow-run
func (c *Client) CancelRun(ctx context.Context, slug pipeline.Slug, run int64, force bool) error {
	route := "/repos/{owner}/{repo}/actions/runs/{run_id}/cancel"
	if force {
		route = "/repos/{owner}/{repo}/actions/runs/{run_id}/force-cancel"
	}
	k := write(http.MethodPost, slug, fmt.Sprintf("cancel workflow run %d", run), route, strconv.FormatInt(run, 10))
	k.repeatable = true
	_, err := c.send(ctx, k, nil, nil)
	var accepted *github.AcceptedError // 202: go-github takes it for an error
	if errors.As(err, &accepted) {
		return nil
	}
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusConflict {
		return nil // "Cannot cancel a workflow run that is completed."
	}
	return err
}

// StartedRuns lists the newest runs of a workflow file that someone has started by hand.
func (c *Client) StartedRuns(ctx context.Context, slug pipeline.Slug, file string) ([]pipeline.WorkflowRun, error) {
	k := get(slug, "list the runs of "+file, "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", file)
	k.query = url.Values{"event": {"workflow_dispatch"}, "per_page": {"20"}}
	var got struct {
		Runs []runResponse `json:"workflow_runs"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	if got.Runs == nil {
		return nil, k.fail(errors.New("the answer has no list of runs"))
	}
	runs := make([]pipeline.WorkflowRun, 0, len(got.Runs))
	for _, one := range got.Runs {
		run, err := one.run()
		if err != nil {
			return nil, k.fail(err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}
