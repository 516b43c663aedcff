package stop

import (
	"errors"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestStoppedBetween stops the commands that run no tool while GitHub lets them wait,
// with every further signal that a runner sends. Each ends at once, and what it did
// not do, the same command does when it is run again.
func TestStoppedBetween(t *testing.T) {
	t.Parallel()
	const statuses = "/repos/{owner}/{repo}/statuses/{sha}"
	for name, args := range map[string]func(r *fixture.Request) []string{
		"fetch-vars": func(*fixture.Request) []string { return []string{"fetch-vars"} },
		"report": func(r *fixture.Request) []string {
			return []string{"report", "--customer", r.Customer, "--request", r.ID, "--final"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			r := &fixture.Request{W: w, Trigger: w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})}
			triggered := w.NewJob(r.Trigger).Start("trigger")
			r.Run = w.Queued()
			if name != "fetch-vars" {
				fetched := w.NewJob(r.Run).Do(0, "fetch-vars")
				r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
				fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
			}
			w.Hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: statuses}, hubtest.Fault{Delay: 30 * time.Second}, 1)
			w.Hub.ResetCalls()
			j := w.NewJob(r.Run)
			p := j.Start(args(r)...)
			fixture.Await(t, "the first status", func() bool { return len(w.Writes()) > 0 })
			begun := time.Now()
			stopping{signals: []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGTERM}}.send(t, p)
			end := p.Wait()
			if end.Exit != 130 || time.Since(begun) > 10*time.Second {
				t.Fatalf("exit code %d after %s:\n%s", end.Exit, time.Since(begun), end.Log)
			}
			w.NewJob(r.Run).Do(0, args(r)...)
			if name == "fetch-vars" {
				w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy", "pending: ")
			} else {
				w.WantNothingPending()
			}
			if err := triggered.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
			triggered.Wait()
		})
	}
}

// TestStoppedTrigger stops a customer's job that waits to be picked up: the request
// goes on, and the manager accepts it.
func TestStoppedTrigger(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	p := w.NewJob(run).Start("trigger", "--wait", "1h")
	queued := w.Queued()
	fixture.Check(t, p.Signal(syscall.SIGTERM))
	if end := p.Wait(); end.Exit != 130 {
		t.Fatalf("exit code %d:\n%s", end.Exit, end.Log)
	}
	w.NewJob(queued).Do(0, "fetch-vars").Want(t, "outcome=requested")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "pending: ")
}
