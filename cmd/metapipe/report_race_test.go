package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

const commentsRoute = "/repos/{owner}/{repo}/issues/{issue_number}/comments"

// proposed is a pull request that staging is planned for, without any report yet.
func proposed(t *testing.T) (*world, *request, int) {
	t.Helper()
	w := newWorld(t, nil)
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	r, _ := w.ask(run, 0)
	r.do(0, "plan", "staging").want(t, "outcome=planned")
	return w, r, number
}

// again is the next request of the same pull request: a push to its branch.
func (r *request) again(number int) *request {
	w := r.w
	w.t.Helper()
	head := w.commit(w.customer, "change", map[string]string{"infra/variables.yml": "name: second\nenvironments:\n  staging: {}\n"})
	pr := must(w.customer.Pull(number))(w.t)
	run := must(w.customer.StartRun(hub.NewRun{Event: "pull_request", Path: intake.TriggerWorkflow, HeadSHA: head, HeadBranch: "change", HeadRepo: w.customer, Actor: "casey", Status: "in_progress"}))(w.t)
	next := r.trigger
	next.run, next.event, next.sha = run, must(w.customer.PullEvent(number, "synchronize", "casey"))(w.t), pr.Merge
	out, _ := w.ask(next, 0)
	return out
}

// wantOneComment: of ours, and with the text.
func (w *world) wantOneComment(text string) {
	w.t.Helper()
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, text) {
		w.t.Errorf("%d comments, want one with %q: %+v", len(comments), text, comments)
	}
}

func TestReportsAtOnceLeaveOneComment(t *testing.T) {
	t.Parallel()
	w, r, _ := proposed(t)
	// Each finds no comment, and is held back until all have looked.
	w.hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: commentsRoute}, hubtest.Fault{Delay: time.Second}, 4)
	var all []*running
	for range 4 {
		all = append(all, w.newJob(r.run).start("report", "--customer", r.customer, "--request", r.id))
	}
	made := 0
	for _, one := range all {
		if end := one.wait(); end.exit != 0 {
			t.Errorf("a report ended with exit code %d:\n%s", end.exit, end.log)
		}
	}
	for _, c := range w.hub.Calls() {
		if c.Method == http.MethodPost && c.Route == commentsRoute {
			made++
		}
	}
	if made < 2 {
		t.Fatalf("%d comments were made: the reports did not meet", made)
	}
	w.wantOneComment("terraform_data.first")
}

func TestNewestRequestHasTheLastWord(t *testing.T) {
	t.Parallel()
	w, first, number := proposed(t)
	// The first report has seen that nothing is newer and that there is no comment;
	// before it writes, a second request is accepted, planned and reported.
	w.hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: commentsRoute}, hubtest.Fault{Delay: 20 * time.Second}, 1)
	late := w.newJob(first.run).start("report", "--customer", first.customer, "--request", first.id)
	for deadline := time.Now().Add(10 * time.Second); !w.asked(commentsRoute); {
		if time.Now().After(deadline) {
			t.Fatal("the first report does not look for its comment")
		}
		time.Sleep(10 * time.Millisecond)
	}
	second := first.again(number)
	second.do(0, "plan", "staging").want(t, "outcome=planned")
	second.report()
	w.wantOneComment("second")
	if len(late.done) > 0 {
		t.Fatal("the first report was not held back long enough to be the last one")
	}
	if end := late.wait(); end.exit != 0 {
		t.Errorf("the first report ended with exit code %d:\n%s", end.exit, end.log)
	}
	w.wantOneComment("second")
}

func (w *world) asked(route string) bool {
	for _, c := range w.hub.Calls() {
		if c.Route == route {
			return true
		}
	}
	return false
}

// TestLostReplyOfDispatch: the request is sent twice, accepted once, and nobody
// but the manager sees the second run.
func TestLostReplyOfDispatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/repos/{owner}/{repo}/dispatches"}, hubtest.Fault{Reset: true, AfterEffect: true}, 1)
	run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	triggered := w.newJob(run).start("trigger")
	one, two := w.queued(), w.queued()
	fetched := w.newJob(two).do(0, "fetch-vars")
	r := &request{w: w, trigger: run, run: two, customer: fetched.outputs["customer"], id: fetched.outputs["request-id"]}
	if end := triggered.wait(); end.exit != 0 || end.outputs["request-id"] != r.id {
		t.Errorf("trigger ended with exit code %d for request %s, want %s:\n%s", end.exit, end.outputs["request-id"], r.id, end.log)
	}
	before := len(w.customer.Snapshot().Statuses[run.sha])
	w.newJob(one).do(3, "fetch-vars").want(t, "reason=replayed", "environments=[]", "request-id=")
	w.newJob(one).do(0, "report", "--customer", "", "--request", "", "--final")
	if after := len(w.customer.Snapshot().Statuses[run.sha]); after != before {
		t.Errorf("the second run has written %d statuses to the customer", after-before)
	}
	r.planned("staging")
	r.do(0, "apply", "staging").want(t, "outcome=applied")
	r.report("--final").want(t, "outcome=success")
	w.wantNothingPending()
}
