package drift

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestIssuesOfTargetsThatAreGone closes the issues of what the registry does not have
// any more, once and with a word, and writes to no repository that took over a name.
func TestIssuesOfTargetsThatAreGone(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:9]
	all := f.customers
	for _, c := range all {
		f.tool.meddle(string(c.Name)+"/staging", "meddled")
	}
	scan := f.scan(0)
	if did := f.issues(&scan, 100); did[issues.Opened] != len(all) {
		t.Fatalf("did %v", did)
	}
	// The first goes, the second loses its environment, the third's name is taken by
	// someone else, the fourth does not let us in any more, the last stays.
	second, last := all[1], all[4]
	second.Environments = []pipeline.Environment{}
	f.customers = []pipeline.Customer{second, last}
	taken := fixture.Must(f.hub.Repo(all[2].Repository.String()))(t)
	fixture.Check(t, taken.Rename("elsewhere"))
	other := fixture.Must(f.hub.AddRepo("acme", string(all[2].Name), hub.RepoOptions{Private: true}))(t)
	fixture.Check(t, other.Grant("metapipe-bot", hub.Write))
	f.hub.Fail(hubtest.Matcher{Request: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/repos/"+all[3].Repository.String()) }},
		hubtest.Fault{Status: http.StatusForbidden, Message: "Resource not accessible by personal access token"}, 1000)
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	scan = f.scan(0)
	if did := f.issues(&scan, 1); did[issues.Closed] != 0 || did[issues.Waiting] != 4 {
		t.Errorf("with room for one write: %v", did)
	}
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	if did := f.issues(&scan, 100); did[issues.Closed] != 2 || did[issues.Failed] != 2 || did[issues.Unchanged] != 1 {
		t.Errorf("did %v: %+v", did, scan.Issues)
	}
	for i, want := range []string{"is not registered any more", "staging is no environment of"} {
		issue := fixture.Must(f.hub.Repo(all[i].Repository.String()))(t).Snapshot().Issues[0]
		if issue.State != "closed" || len(issue.Comments) != 1 || !strings.Contains(issue.Comments[0].Body, want) || strings.Contains(issue.Comments[0].Body, "opened again") {
			t.Errorf("%s: %+v", all[i].Name, issue)
		}
	}
	if got := other.Snapshot().Issues; len(got) != 0 {
		t.Errorf("somebody else's repository has %+v", got)
	}
	if got := taken.Snapshot().Issues[0]; got.State != "open" {
		t.Errorf("the issue behind a name that was taken: %+v", got)
	}
	// A repository that does not let us in is asked again: it may be the token.
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	f.hub.ResetCalls()
	if did := f.issues(&scan, 100); did[issues.Unchanged] != 1 || did[issues.Failed] != 1 || len(did) != 2 || len(f.hub.Calls()) != 1 {
		t.Errorf("the next scan: %v, %v", did, f.hub.Calls())
	}
	f.hub.ClearFaults()
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	if did := f.issues(&scan, 100); did[issues.Closed] != 1 || fixture.Must(f.hub.Repo(all[3].Repository.String()))(t).Snapshot().Issues[0].State != "closed" {
		t.Errorf("with the access back: %v", did)
	}
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	f.hub.ResetCalls()
	if did := f.issues(&scan, 100); did[issues.Unchanged] != 1 || len(did) != 1 || len(f.hub.Calls()) != 0 {
		t.Errorf("the last scan: %v, %v", did, f.hub.Calls())
	}
}

// TestIssueOfATargetThatIsOutOfReach is tried for a month and not for ever.
func TestIssueOfATargetThatIsOutOfReach(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:6]
	for _, c := range f.customers {
		f.tool.meddle(string(c.Name)+"/staging", "meddled")
	}
	scan := f.scan(0)
	f.issues(&scan, 100)
	away := f.customers[0]
	f.customers = f.customers[1:]
	f.hub.Fail(hubtest.Matcher{Request: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/repos/"+away.Repository.String()) }},
		hubtest.Fault{Status: http.StatusNotFound, Message: "Not Found"}, 1000)
	for _, days := range []int{1, 20, 20} {
		fixture.Check(t, f.sleep(t.Context(), time.Duration(days)*24*time.Hour))
		scan = f.scan(0)
		if did := f.issues(&scan, 100); did[issues.Failed] != 1 {
			t.Fatalf("after %d more days: %v", days, did)
		}
	}
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	if did := f.issues(&scan, 100); did[issues.Failed] != 0 {
		t.Errorf("after a month: %v", did)
	}
}

// TestAnErrorInBetweenChangesNothing looks at the same difference before and after a
// scan that could not look.
func TestAnErrorInBetweenChangesNothing(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:5]
	c := f.customers[0]
	target, repo := string(c.Name)+"/staging", fixture.Must(f.hub.Repo(c.Repository.String()))(t)
	next := func(kinds ...pipeline.DriftKind) (drift.Result, map[issues.Action]int) {
		t.Helper()
		fixture.Check(t, f.sleep(t.Context(), time.Hour))
		scan := f.scan(0)
		if !slices.Equal(scan.Results[0].Kinds, kinds) {
			t.Fatalf("kinds %v, want %v", scan.Results[0].Kinds, kinds)
		}
		return scan.Results[0], f.issues(&scan, 10)
	}
	file := func(text string) {
		t.Helper()
		fixture.Must(repo.Commit("main", hub.Change{Message: "Edit", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte(text)}}}))(t)
	}
	whole := "name: " + string(c.Name) + "\nenvironments:\n  staging: {}\n"
	f.tool.meddle(target, "meddled")
	first, did := next(pipeline.DriftReal)
	if did[issues.Opened] != 1 {
		t.Fatalf("did %v", did)
	}
	file("name: [\n")
	failed, _ := next(pipeline.DriftError)
	again, _ := next(pipeline.DriftError)
	if !again.FirstSeen.Equal(failed.FirstSeen) || !failed.FirstSeen.After(first.FirstSeen) {
		t.Errorf("the error was first seen %s and %s", failed.FirstSeen, again.FirstSeen)
	}
	file(whole)
	after, did := next(pipeline.DriftReal)
	if !after.FirstSeen.Equal(first.FirstSeen) || did[issues.Unchanged] != 1 {
		t.Errorf("after the error: first seen %s, want %s; did %v", after.FirstSeen, first.FirstSeen, did)
	}
	file("name: [\n")
	next(pipeline.DriftError)
	file(whole)
	f.tool.meddle(target, "")
	next()
	f.tool.meddle(target, "meddled")
	if fresh, _ := next(pipeline.DriftReal); !fresh.FirstSeen.Equal(fresh.CheckedAt) {
		t.Errorf("a new difference was first seen %s, and looked at %s", fresh.FirstSeen, fresh.CheckedAt)
	}
	// A file that is gone is an error, and not a target without a difference.
	fixture.Must(repo.Commit("main", hub.Change{Message: "Gone", Remove: []string{"infra/variables.yml"}}))(t)
	if gone, _ := next(pipeline.DriftError); gone.Failure.Cause != "repository" || !strings.Contains(gone.Failure.Message, "infra/variables.yml") || !strings.Contains(gone.Failure.Next, "it does not exist") {
		t.Errorf("without its file: %+v", gone.Failure)
	}
}
