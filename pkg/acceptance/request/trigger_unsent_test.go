package request

import (
	"net/http"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestTriggerUnsent: a trigger that sends nothing leaves a final status that says why
// and what to do; one whose trouble passes sends its request.
func TestTriggerUnsent(t *testing.T) {
	t.Parallel()
	asks := func(status int, after string) hubtest.Fault {
		return hubtest.Fault{Status: status, Message: "no", Header: http.Header{"Retry-After": {after}}}
	}
	for name, c := range map[string]struct {
		route string
		fault hubtest.Fault
		times int
		with  string // variable of the job
		exit  int
		says  string // in the status; empty: the request is sent
	}{
		"ID token, 429 that passes":  {route: fixture.TokenRoute, fault: asks(429, "0"), times: 2},
		"ID token, 403 that passes":  {route: fixture.TokenRoute, fault: asks(403, "1"), times: 1},
		"ID token, 500 that passes":  {route: fixture.TokenRoute, fault: hubtest.Fault{Status: 500}, times: 5},
		"ID token, reset":            {route: fixture.TokenRoute, fault: hubtest.Fault{Reset: true}, times: 3},
		"ID token, 429 for an hour":  {route: fixture.TokenRoute, fault: asks(429, "3600"), times: 1000, exit: 1, says: "the runner gave no ID token; run this job again"},
		"ID token, 500 for ever":     {route: fixture.TokenRoute, fault: hubtest.Fault{Status: 500}, times: 1000, exit: 1, says: "the runner gave no ID token; run this job again"},
		"changes cannot be read":     {route: fixture.CompareRoute, fault: hubtest.Fault{Status: 500}, times: 1000, exit: 1, says: "see the log of this job, then run it again"},
		"changes may not be read":    {route: fixture.CompareRoute, fault: hubtest.Fault{Status: 403}, times: 1000, exit: 1, says: "see the log of this job, then run it again"},
		"no token for the manager":   {with: "MANAGER_REPO_PAT=", exit: 2, says: "MANAGER_REPO_PAT is not set; see the log of this job"},
		"no manager":                 {with: "MANAGER_REPO_NAME=", exit: 2, says: "Not sent: the manager repository; see the log of this job"},
		"half of an App":             {with: "METAPIPE_APP_ID=5", exit: 2, says: "only one of METAPIPE_APP_ID"},
		"dispatch refused for good":  {route: "/repos/{owner}/{repo}/dispatches", fault: hubtest.Fault{Status: 403}, times: 1000, exit: 1, says: "see the log of this job, then run it again"},
		"dispatch limited, it waits": {route: "/repos/{owner}/{repo}/dispatches", fault: asks(429, "0"), times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			w.Push("main", map[string]string{"README.md": "first\n"}) // so that the next push has a base
			run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
			j := w.NewJob(run).With(c.with)
			if c.route != "" {
				w.Hub.Fail(hubtest.Matcher{Route: c.route}, c.fault, c.times)
			}
			if c.says == "" {
				p := j.Start("trigger")
				fetched := w.NewJob(w.Queued()).Do(0, "fetch-vars")
				fetched.Want(t, "outcome=requested")
				if end := p.Wait(); end.Exit != 0 {
					t.Errorf("exit code %d:\n%s", end.Exit, end.Log)
				}
				return
			}
			end := j.Do(c.exit, "trigger")
			if !strings.Contains(end.Log, "→") {
				t.Errorf("the log has no remedy:\n%s", end.Log)
			}
			records := w.Customer.Snapshot().Statuses[run.SHA]
			if len(records) == 0 {
				t.Fatalf("the commit has no status:\n%s", end.Log)
			}
			last := records[len(records)-1]
			if last.State != "error" || last.Context != "infra/terraform-deploy" || !strings.Contains(last.Description, c.says) || last.TargetURL != run.Run.URL {
				t.Errorf("status %+v", last)
			}
		})
	}
}
