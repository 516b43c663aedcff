package request

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// proposed is a pull request that staging is planned for, without any report yet.
func proposed(t *testing.T) (*fixture.Setup, *fixture.Request, int) {
	t.Helper()
	w := fixture.New(t, nil)
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	r, _ := w.Ask(run, 0)
	r.Do(0, "plan", "staging").Want(t, "outcome=planned")
	return w, r, number
}

// again is the next request of the same pull request: a push to its branch.
func again(r *fixture.Request, number int) *fixture.Request {
	w := r.W
	w.T.Helper()
	head := w.Commit(w.Customer, "change", map[string]string{"infra/variables.yml": "name: second\nenvironments:\n  staging: {}\n"})
	pr := fixture.Must(w.Customer.Pull(number))(w.T)
	run := fixture.Must(w.Customer.StartRun(hub.NewRun{Event: "pull_request", Path: intake.TriggerWorkflow, HeadSHA: head, HeadBranch: "change", HeadRepo: w.Customer, Actor: "casey", Status: "in_progress"}))(w.T)
	next := r.Trigger
	next.Run, next.Event, next.SHA = run, fixture.Must(w.Customer.PullEvent(number, "synchronize", "casey"))(w.T), pr.Merge
	out, _ := w.Ask(next, 0)
	return out
}

// wantOneComment: of ours, and with the text.
func wantOneComment(w *fixture.Setup, text string) {
	w.T.Helper()
	comments := w.Customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, text) {
		w.T.Errorf("%d comments, want one with %q: %+v", len(comments), text, comments)
	}
}

func TestReportsAtOnceLeaveOneComment(t *testing.T) {
	t.Parallel()
	w, r, _ := proposed(t)
	// Each finds no comment, and is held back until all have looked.
	w.Hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: fixture.CommentsRoute}, hubtest.Fault{Delay: time.Second}, 4)
	var all []*fixture.Running
	for range 4 {
		all = append(all, w.NewJob(r.Run).Start("report", "--customer", r.Customer, "--request", r.ID))
	}
	made := 0
	for _, one := range all {
		if end := one.Wait(); end.Exit != 0 {
			t.Errorf("a report ended with exit code %d:\n%s", end.Exit, end.Log)
		}
	}
	for _, c := range w.Hub.Calls() {
		if c.Method == http.MethodPost && c.Route == fixture.CommentsRoute {
			made++
		}
	}
	if made < 2 {
		t.Fatalf("%d comments were made: the reports did not meet", made)
	}
	wantOneComment(w, "terraform_data.first")
}

func TestNewestRequestHasTheLastWord(t *testing.T) {
	t.Parallel()
	w, first, number := proposed(t)
	// The first report has seen that nothing is newer and that there is no comment;
	// before it writes, a second request is accepted, planned and reported.
	w.Hub.Fail(hubtest.Matcher{Method: http.MethodGet, Route: fixture.CommentsRoute}, hubtest.Fault{Delay: 20 * time.Second}, 1)
	late := w.NewJob(first.Run).Start("report", "--customer", first.Customer, "--request", first.ID)
	for deadline := time.Now().Add(10 * time.Second); !asked(w, fixture.CommentsRoute); {
		if time.Now().After(deadline) {
			t.Fatal("the first report does not look for its comment")
		}
		time.Sleep(10 * time.Millisecond)
	}
	second := again(first, number)
	second.Do(0, "plan", "staging").Want(t, "outcome=planned")
	second.Report()
	wantOneComment(w, "second")
	if late.Ended() {
		t.Fatal("the first report was not held back long enough to be the last one")
	}
	if end := late.Wait(); end.Exit != 0 {
		t.Errorf("the first report ended with exit code %d:\n%s", end.Exit, end.Log)
	}
	wantOneComment(w, "second")
}

func asked(w *fixture.Setup, route string) bool {
	for _, c := range w.Hub.Calls() {
		if c.Route == route {
			return true
		}
	}
	return false
}

// TestLostReplyOfDispatch: the request is sent twice, accepted once, and no one
// but the manager sees the second run.
func TestLostReplyOfDispatch(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/repos/{owner}/{repo}/dispatches"}, hubtest.Fault{Reset: true, AfterEffect: true}, 1)
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	triggered := w.NewJob(run).Start("trigger")
	one, two := w.Queued(), w.Queued()
	fetched := w.NewJob(two).Do(0, "fetch-vars")
	r := &fixture.Request{W: w, Trigger: run, Run: two, Customer: fetched.Outputs["customer"], ID: fetched.Outputs["request-id"]}
	if end := triggered.Wait(); end.Exit != 0 || end.Outputs["request-id"] != r.ID {
		t.Errorf("trigger ended with exit code %d for request %s, want %s:\n%s", end.Exit, end.Outputs["request-id"], r.ID, end.Log)
	}
	before := len(w.Customer.Snapshot().Statuses[run.SHA])
	w.NewJob(one).Do(3, "fetch-vars").Want(t, "reason=replayed", "targets=[]", "request-id=")
	w.NewJob(one).Do(0, "report", "--customer", "", "--request", "", "--final")
	if after := len(w.Customer.Snapshot().Statuses[run.SHA]); after != before {
		t.Errorf("the second run has written %d statuses to the customer", after-before)
	}
	r.Planned("staging")
	r.Do(0, "apply", "staging").Want(t, "outcome=applied")
	r.Report("--final").Want(t, "outcome=success")
	w.WantNothingPending()
}
