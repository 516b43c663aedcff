package fault

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// githubFaults are the ways in which an answer of GitHub goes wrong.
var githubFaults = []struct {
	name string
	hubtest.Fault
}{
	{"403", hubtest.Fault{Status: 403, Message: "Resource not accessible by personal access token"}},
	{"404", hubtest.Fault{Status: 404, Message: "Not Found"}},
	{"409", hubtest.Fault{Status: 409, Message: "Conflict"}},
	{"422", hubtest.Fault{Status: 422, Message: "Validation Failed"}},
	{"429", hubtest.Fault{Status: 429, Message: "Too many requests"}},
	{"403 secondary limit", hubtest.Fault{Status: 403, Message: "You have exceeded a secondary rate limit.", Header: http.Header{"Retry-After": {"7"}}}},
	{"500", hubtest.Fault{Status: 500, Message: "oops"}},
	{"502 after the effect", hubtest.Fault{Status: 502, Message: "bad gateway", AfterEffect: true}},
	{"reset", hubtest.Fault{Reset: true}},
	{"lost reply", hubtest.Fault{Reset: true, AfterEffect: true}},
	{"half body", hubtest.Fault{HalfBody: true}},
	{"slow", hubtest.Fault{Delay: 100 * time.Millisecond}},
}

// githubWrite is one write of a request to GitHub.
type githubWrite struct {
	name, method, route string
	// body, when set, picks the write by what is sent.
	body func(sent map[string]any) bool
	// merged: it comes after a pull request that was planned; proposed: with one.
	merged, proposed bool
}

func status(statusContext, state, begin string) func(map[string]any) bool {
	return func(sent map[string]any) bool {
		description, _ := sent["description"].(string)
		final := sent["state"] != "pending"
		return sent["context"] == statusContext && final == (state == "final") && strings.HasPrefix(description, begin)
	}
}

// plannedStatus is the pending status that shows the receipt of a plan.
func plannedStatus(sent map[string]any) bool {
	link, _ := sent["target_url"].(string)
	return sent["context"] == "infra/terraform-deploy/staging" && sent["state"] == "pending" && strings.Contains(link, "#receipt-")
}

// applyingStatus is the status that tells that an apply begins.
func applyingStatus(sent map[string]any) bool {
	link, _ := sent["target_url"].(string)
	return sent["context"] == "infra/terraform-deploy/staging" && strings.Contains(link, "#applying-")
}

const statusRoute = "/repos/{owner}/{repo}/statuses/{sha}"

var githubWrites = []githubWrite{
	{name: "dispatch", method: "POST", route: "/repos/{owner}/{repo}/dispatches"},
	{name: "accepted status", method: "POST", route: statusRoute, body: status("infra/terraform-deploy", "pending", "Accepted")},
	{name: "accepted status of the environment", method: "POST", route: statusRoute, body: status("infra/terraform-deploy/staging", "pending", "Waiting for the plan")},
	{name: "planned status", method: "POST", route: statusRoute, body: plannedStatus},
	{name: "applying status", method: "POST", route: statusRoute, body: applyingStatus},
	{name: "deployment", method: "POST", route: "/repos/{owner}/{repo}/deployments"},
	{name: "deployment status", method: "POST", route: "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"},
	{name: "final status of the environment", method: "POST", route: statusRoute, body: status("infra/terraform-deploy/staging", "final", "")},
	{name: "final status", method: "POST", route: statusRoute, body: status("infra/terraform-deploy", "final", "")},
	{name: "new comment", method: "POST", route: fixture.CommentsRoute, proposed: true},
	{name: "edited comment", method: "PATCH", route: "/repos/{owner}/{repo}/issues/comments/{comment_id}", merged: true},
	{name: "all writes", method: "POST"},
}

func (g githubWrite) matcher(hits *atomic.Int32) hubtest.Matcher {
	return hubtest.Matcher{Method: g.method, Route: g.route, Request: func(r *http.Request) bool {
		if g.body != nil {
			var sent map[string]any
			b, err := io.ReadAll(r.Body)
			if err != nil || json.NewDecoder(bytes.NewReader(b)).Decode(&sent) != nil || !g.body(sent) {
				return false
			}
		}
		hits.Add(1)
		return true
	}}
}

// tally counts the cases of a matrix, and says so at the end of its test.
type tally struct {
	found, cases, good atomic.Int32
	every              int32 // with the race detector only one of so many cases is played; 0: of eleven
}

// run plays a case.
func (m *tally) run(t *testing.T, name string, play func(t *testing.T)) {
	if m.found.Add(1); fixture.RaceDetector && m.found.Load()%cmp.Or(m.every, 11) != 1 {
		return
	}
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		m.note(t)
		play(t)
	})
}

func (m *tally) note(t *testing.T) {
	m.cases.Add(1)
	t.Cleanup(func() {
		if !t.Failed() {
			m.good.Add(1)
		}
	})
}

func (m *tally) report(t *testing.T) {
	t.Cleanup(func() { fmt.Printf("%s: %d cases, %d ok\n", t.Name(), m.cases.Load(), m.good.Load()) })
}

// TestFaultMatrix lets every write of a request to GitHub fail in every way, once
// and for the rest of its run.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	var m tally
	m.report(t)
	for _, write := range githubWrites {
		for _, fault := range githubFaults {
			for _, times := range []int{1, 1000} {
				m.run(t, fmt.Sprintf("%s/%s/%d", write.name, fault.name, times), func(t *testing.T) { write.play(t, fault.Fault, times) })
			}
		}
	}
}

// play carries one request whose write goes wrong.
func (g githubWrite) play(t *testing.T, fault hubtest.Fault, times int) {
	w := fixture.New(t, nil)
	c := fixture.NewRunner(w)
	c.OnFailure(t)
	files := map[string]string{"infra/variables.yml": "name: first\nenvironments:\n  staging: {}\n"}
	var run fixture.WorkflowRun
	var sha string
	if g.merged || g.proposed {
		var number int
		run, number = w.Pull(w.Customer, "change", files)
		sha = fixture.Must(w.Customer.Pull(number))(t).Head
		if g.merged {
			if good, _ := c.PlayAll(run); !good {
				t.Fatal("the pull request does not end well")
			}
			sha = fixture.Must(w.Customer.MergePull(number, "merge", "casey"))(t)
			run = w.Pushed("main", sha)
		}
	} else {
		run = w.Push("main", files)
		sha = run.SHA
	}
	var hits atomic.Int32
	w.Hub.Fail(g.matcher(&hits), fault, times)
	c.PlayAll(run)
	w.Hub.ClearFaults()
	if hits.Load() == 0 {
		t.Error("nothing went wrong: the request did not come")
	}
	fixture.Check(t, os.MkdirAll(w.Store, 0o700)) // nothing may have come that far
	c.WantNothingLost(directory(w), sha, "first in staging")
	if times > 1 {
		c.WantRerun(directory(w))
	}
}

// githubReads are the kinds of reads of a request, the ID token among them.
var githubReads = []githubWrite{
	{name: "ID token", method: "GET", route: fixture.TokenRoute},
	{name: "repository", method: "GET", route: "/repos/{owner}/{repo}"},
	{name: "run", method: "GET", route: "/repos/{owner}/{repo}/actions/runs/{run_id}"},
	{name: "branch", method: "GET", route: "/repos/{owner}/{repo}/git/ref/{ref}"},
	{name: "comparison", method: "GET", route: fixture.CompareRoute},
	{name: "file", method: "GET", route: "/repos/{owner}/{repo}/contents/{path}"},
	{name: "statuses", method: "GET", route: "/repos/{owner}/{repo}/commits/{ref}/status"},
	{name: "deployments", method: "GET", route: "/repos/{owner}/{repo}/deployments"},
	{name: "pull request", method: "GET", route: "/repos/{owner}/{repo}/pulls/{pull_number}", proposed: true},
	{name: "files of a pull request", method: "GET", route: "/repos/{owner}/{repo}/pulls/{pull_number}/files", proposed: true},
	{name: "comments", method: "GET", route: fixture.CommentsRoute, proposed: true},
	{name: "all reads", method: "GET"},
}

// namedFault is one way in which an answer goes wrong, and how often.
type namedFault struct {
	name string
	hubtest.Fault
	times int
}

// readFaults are the ways in which a read goes wrong, and how often.
var readFaults = []namedFault{
	{"403", hubtest.Fault{Status: 403, Message: "Resource not accessible by personal access token"}, 1000},
	{"404 once", hubtest.Fault{Status: 404, Message: "Not Found"}, 1},
	{"404", hubtest.Fault{Status: 404, Message: "Not Found"}, 1000},
	{"403 limit", hubtest.Fault{Status: 403, Message: "You have exceeded a secondary rate limit.", Header: http.Header{"Retry-After": {"0"}}}, 2},
	{"429 for an hour", hubtest.Fault{Status: 429, Message: "Too many requests", Header: http.Header{"Retry-After": {"3600"}}}, 1000},
	{"500", hubtest.Fault{Status: 500, Message: "oops"}, 5},
	{"502", hubtest.Fault{Status: 502, Message: "bad gateway"}, 1000},
	{"reset", hubtest.Fault{Reset: true}, 3},
	{"half body", hubtest.Fault{HalfBody: true}, 2},
}

// TestFaultReads lets every kind of read of a request from GitHub and from the runner
// fail, for a while and for the rest of its run.
func TestFaultReads(t *testing.T) {
	t.Parallel()
	var m tally
	m.report(t)
	for _, read := range githubReads {
		for _, fault := range readFaults {
			m.run(t, read.name+"/"+fault.name, func(t *testing.T) { read.play(t, fault.Fault, fault.times) })
		}
	}
}

// directory is the store of a world that is a folder.
func directory(w *fixture.Setup) fixture.TargetStore { return folder{w} }

type folder struct{ w *fixture.Setup }

func (f folder) State(target string) string { return f.w.State(target) }

func (f folder) Locked(target string) bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(f.w.StateFile(target)), ".terraform.tfstate.lock.info"))
	return err == nil
}
