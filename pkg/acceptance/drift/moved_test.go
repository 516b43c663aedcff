package drift

import (
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestIssuesAndRepositoriesThatMove follows the customer: its renamed repository, and
// neither an issue that went elsewhere nor whoever took the name over.
func TestIssuesAndRepositoriesThatMove(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:5]
	c := f.customers[0]
	target := string(c.Name) + "/staging"
	repo := fixture.Must(f.hub.Repo(c.Repository.String()))(t)
	other := fixture.Must(f.hub.AddRepo("acme", "other", hub.RepoOptions{Private: true}))(t)
	fixture.Check(t, other.Grant("metapipe-bot", hub.Write))
	next := func(content string) map[issues.Action]int {
		t.Helper()
		f.tool.meddle(target, content)
		fixture.Check(t, f.sleep(t.Context(), time.Hour))
		scan := f.scan(0)
		return f.issues(&scan, 10)
	}
	if did := next("first"); did[issues.Opened] != 1 {
		t.Fatalf("did %v", did)
	}
	fixture.Must(repo.TransferIssue(1, other))(t)
	moved := other.Snapshot().Issues[0].Body
	if did := next("second"); did[issues.Opened] != 1 {
		t.Errorf("after a transfer: %v", did)
	}
	if got := other.Snapshot().Issues[0]; got.Body != moved || got.State != "open" || len(got.Comments) != 0 {
		t.Errorf("the issue that went elsewhere was written to: %+v", got)
	}
	fixture.Check(t, repo.DeleteIssue(2))
	if did := next("third"); did[issues.Opened] != 1 || len(repo.Snapshot().Issues) != 1 {
		t.Errorf("after a deletion: %v, %+v", did, repo.Snapshot().Issues)
	}
	fixture.Check(t, repo.Rename("renamed"))
	if did := next("fourth"); did[issues.Edited] != 1 {
		t.Errorf("after a rename: %v", did)
	}
	taken := fixture.Must(f.hub.AddRepo("acme", string(c.Name), hub.RepoOptions{Private: true}))(t)
	fixture.Check(t, taken.Grant("metapipe-bot", hub.Write))
	fixture.Must(taken.Commit("main", hub.Change{Message: "Mine", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte("name: mine\nenvironments:\n  staging: {}\n")}}}))(t)
	if did := next("fifth"); len(did) != 0 || len(taken.Snapshot().Issues) != 0 {
		t.Errorf("after somebody took the name: %v, %+v", did, taken.Snapshot().Issues)
	}
}

// TestALockedIssueIsClosed refuses the comment: the issue is closed all the same, once.
func TestALockedIssueIsClosed(t *testing.T) {
	t.Parallel()
	f := newThousand(t)
	f.customers = f.customers[4:5]
	target := string(f.customers[0].Name) + "/staging"
	f.tool.meddle(target, "meddled")
	scan := f.scan(0)
	f.issues(&scan, 10)
	f.hub.Fail(hubtest.Matcher{Method: "POST", Route: "/repos/{owner}/{repo}/issues/{issue_number}/comments"}, hubtest.Fault{Status: 403, Message: "Unable to create comment because issue is locked."}, 100)
	f.tool.meddle(target, "")
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	scan = f.scan(0)
	if did := f.issues(&scan, 10); did[issues.Failed] != 1 {
		t.Errorf("did %v", did)
	}
	repo := fixture.Must(f.hub.Repo(f.customers[0].Repository.String()))(t)
	if issue := repo.Snapshot().Issues[0]; issue.State != "closed" {
		t.Errorf("issue %+v", issue)
	}
	f.hub.ResetCalls()
	fixture.Check(t, f.sleep(t.Context(), time.Hour))
	scan = f.scan(0)
	f.hub.ResetCalls()
	if did := f.issues(&scan, 10); len(did) != 0 || len(f.hub.Calls()) != 0 {
		t.Errorf("the next scan: %v, %v", did, f.hub.Calls())
	}
}
