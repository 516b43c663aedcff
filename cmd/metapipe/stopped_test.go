package main

import (
	"errors"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestStoppedBetween stops the commands that run no tool while GitHub lets them wait,
// with every further signal that a runner sends. Each ends at once, and what it did
// not do, the same command does when it is run again.
func TestStoppedBetween(t *testing.T) {
	t.Parallel()
	const statuses = "/repos/{owner}/{repo}/statuses/{sha}"
	for name, args := range map[string]func(r *request) []string{
		"fetch-vars": func(*request) []string { return []string{"fetch-vars"} },
		"report": func(r *request) []string {
			return []string{"report", "--customer", r.customer, "--request", r.id, "--final"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			r := &request{w: w, trigger: w.push("main", map[string]string{"infra/variables.yml": variablesYML})}
			triggered := w.newJob(r.trigger).start("trigger")
			r.run = w.queued()
			if name != "fetch-vars" {
				fetched := w.newJob(r.run).do(0, "fetch-vars")
				r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
				check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
			}
			w.hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: statuses}, hubtest.Fault{Delay: 30 * time.Second}, 1)
			w.hub.ResetCalls()
			j := w.newJob(r.run)
			p := j.start(args(r)...)
			await(t, "the first status", func() bool { return len(w.writes()) > 0 })
			begun := time.Now()
			stopping{signals: []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGTERM}}.send(t, p)
			end := p.wait()
			if end.exit != 130 || time.Since(begun) > 10*time.Second {
				t.Fatalf("exit code %d after %s:\n%s", end.exit, time.Since(begun), end.log)
			}
			w.newJob(r.run).do(0, args(r)...)
			if name == "fetch-vars" {
				w.wantStatus(r.trigger.sha, "infra/terraform-deploy", "pending: ")
			} else {
				w.wantNothingPending()
			}
			if err := triggered.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
			triggered.wait()
		})
	}
}

// TestStoppedTrigger stops a customer's job that waits to be picked up: the request
// goes on, and the manager accepts it.
func TestStoppedTrigger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	p := w.newJob(run).start("trigger", "--wait", "1h")
	queued := w.queued()
	check(t, p.cmd.Process.Signal(syscall.SIGTERM))
	if end := p.wait(); end.exit != 130 {
		t.Fatalf("exit code %d:\n%s", end.exit, end.log)
	}
	w.newJob(queued).do(0, "fetch-vars").want(t, "outcome=requested")
	w.wantStatus(run.sha, "infra/terraform-deploy", "pending: ")
}
