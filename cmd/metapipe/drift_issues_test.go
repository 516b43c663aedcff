package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// issueScans are scans of one target that write to its issue.
type issueScans struct {
	*world
	dir  string
	file string // the managed one
	hand *github.Client
}

func newIssueScans(t *testing.T) *issueScans {
	t.Helper()
	config := providerConfig(t, "local")
	s := &issueScans{dir: t.TempDir()}
	s.file = filepath.Join(s.dir, "staging.txt")
	s.world = newWorld(t, driftFiles(s.dir))
	s.environ = []string{"TF_CLI_CONFIG_FILE=" + config}
	token := s.token(hub.Token{Name: "hand", Kind: hub.Classic, User: "casey", Scopes: []string{"repo"}})
	s.hand = must(github.New(github.Options{BaseURL: s.hub.URL(), Token: token}))(t)
	r := s.accept(s.push("main", s.variables("shop")))
	p := r.planned("staging")
	r.do(0, "apply", "staging", "--receipt", p.outputs["receipt"])
	r.report("--final")
	return s
}

func (s *issueScans) variables(name string) map[string]string {
	return map[string]string{"infra/variables.yml": "name: " + name + "\nenvironments:\n  staging: {}\n"}
}

// merge changes what the customer asks for.
func (s *issueScans) merge(name string) { s.commit(s.customer, "main", s.variables(name)) }

// does is what a person does to the issue.
func (s *issueScans) does(edit issues.Draft) {
	s.t.Helper()
	must(s.hand.EditIssue(s.t.Context(), acmeShop, 1, edit))(s.t)
}

var acmeShop = pipeline.Slug{Owner: "acme", Name: "shop"}

// scan looks at the target with the documented permissions and compares what is
// written to GitHub, and how often it is read.
func (s *issueScans) scan(exit int, did issues.Action, reads int, writes ...string) result {
	s.t.Helper()
	s.hub.ResetCalls()
	j := s.driftJob().thin("SOURCE_REPOS_PAT", documentedPermissions(s.t)[[2]string{"drift", "SOURCE_REPOS_PAT"}])
	r := j.do(exit, "drift", "--environment", "staging", "--issues", "10", "--json")
	if got := s.writes(); !slices.Equal(got, writes) {
		s.t.Errorf("%q wrote %v, want %v", did, got, writes)
	}
	if got := len(s.hub.Calls()) - len(s.writes()); got != reads {
		s.t.Errorf("%q read %d times, want %d: %v", did, got, reads, s.hub.Calls())
	}
	printed := scanOf(s.t, r).Issues
	if did == "" && len(printed) == 0 {
		return r
	}
	if len(printed) != 1 || printed[0].Action != did || printed[0].Number != 1 || !strings.HasSuffix(printed[0].URL, "/issues/1") {
		s.t.Errorf("told %+v, want %q", printed, did)
	}
	return r
}

// issue is the only one that there is.
func (s *issueScans) issue(state string) hub.IssueSnapshot {
	s.t.Helper()
	all := s.customer.Snapshot().Issues
	if len(all) != 1 || all[0].State != state {
		s.t.Fatalf("want one issue that is %s: %+v", state, all)
	}
	return all[0]
}

// TestTheIssueOfATarget follows one issue over the scans of its life.
func TestTheIssueOfATarget(t *testing.T) {
	t.Parallel()
	s := newIssueScans(t)
	const list, one = "/repos/acme/shop/issues", "/repos/acme/shop/issues/1"
	s.scan(0, "", 1) // the file of the customer, and nothing else

	check(t, os.Remove(s.file))
	// The file; whose repository it is, who we are, and whether there is an issue.
	r := s.scan(6, issues.Opened, 4, "POST "+list)
	issue := s.issue("open")
	if !slices.Equal(issue.Labels, []string{"infrastructure", "drift-detected", "staging"}) || issue.Author != "metapipe-bot" {
		t.Errorf("opened %+v", issue)
	}
	for _, want := range []string{"local_file.file", "is gone", "casey", "infra/variables.yml", "gh workflow run trigger-infra.yml"} {
		if !strings.Contains(issue.Body, want) {
			t.Errorf("the issue lacks %q:\n%s", want, issue.Body)
		}
	}
	if !strings.Contains(r.summary, "[issue 1](") || !strings.Contains(r.summary, "opened") {
		t.Errorf("the summary does not tell of the issue:\n%s", r.summary)
	}
	s.scan(6, issues.Unchanged, 1)

	s.merge("next")
	s.scan(6, issues.Edited, 5, "PATCH "+one)
	s.does(issues.Draft{State: "closed"})
	s.scan(6, issues.Unchanged, 2)
	s.issue("closed") // by a person, and nothing has changed since

	s.merge("third")
	s.scan(6, issues.Reopened, 5, "PATCH "+one)
	s.does(issues.Draft{Labels: append(s.issue("open").Labels, "drift-snooze-2999-12-31", "ours")})
	body := s.issue("open").Body
	s.merge("fourth")
	s.scan(6, issues.Snoozed, 5)
	if s.issue("open").Body != body {
		t.Error("a snoozed issue was edited")
	}
	// An error says nothing, and changes nothing.
	s.commit(s.customer, "main", map[string]string{"infra/variables.yml": "name: [\n"})
	s.scan(6, "", 2)
	s.merge("fourth")
	s.does(issues.Draft{Labels: []string{"drift-detected", "drift-snooze-2020-01-01", "ours"}})
	s.scan(6, issues.Edited, 5, "PATCH "+one)
	if got := s.issue("open"); !slices.Contains(got.Labels, "ours") || !slices.Contains(got.Labels, "staging") || got.Body == body {
		t.Errorf("edited to %+v", got)
	}

	s.merge("shop")
	check(t, os.WriteFile(s.file, []byte("shop"), 0o600))
	check(t, os.Chmod(s.file, 0o777))
	s.scan(0, issues.Closed, 4, "PATCH "+one, "POST "+one+"/comments")
	if got := s.issue("closed"); len(got.Comments) != 1 || !strings.Contains(got.Comments[0].Body, "as it should be again") {
		t.Errorf("closed as %+v", got)
	}
	s.scan(0, "", 1)

	// The store forgets: the marker and the author lead to the same issue.
	check(t, os.RemoveAll(filepath.Join(s.store, "_metapipe", "scans", "issues")))
	must(s.hand.CreateIssue(t.Context(), acmeShop, issues.Draft{Title: "Mine", Body: s.issue("closed").Body, Labels: []string{"drift-detected"}}))(t)
	check(t, os.Remove(s.file))
	s.scan(6, issues.Reopened, 4, "PATCH "+one)
	if all := s.customer.Snapshot().Issues; len(all) != 2 || all[1].Author != "casey" || all[1].State != "open" || all[0].State != "open" {
		t.Errorf("issues %+v", all)
	}
}

// TestIssuesThatCannotBeWritten are told to the manager: those of a repository
// without issues, of a token without the right, and of a name that has changed hands.
func TestIssuesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := driftFiles(dir)
	files["metapipe.yml"] = strings.Replace(files["metapipe.yml"], "drift:\n", "drift:\n  pending: issue\n", 1)
	files["customers/quiet.yml"] = "repository: acme/quiet\nrepository_id: 4712\n"
	files["terraform/main.tf"] = managerFiles["terraform/main.tf"]
	w := newWorld(t, files)
	quiet := must(w.hub.AddRepo("acme", "quiet", hub.RepoOptions{ID: 4712, Private: true, NoIssues: true}))(t)
	check(t, quiet.Grant("metapipe-bot", hub.Write))
	want := map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"}
	w.commit(quiet, "main", want)
	w.commit(w.customer, "main", want)
	scan := func(grants map[string]string) []drift.TargetIssue {
		t.Helper()
		token := w.token(hub.Token{Name: "source " + grants["issues"], Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{customerSlug, "acme/quiet"}, Permissions: grants})
		r := w.driftJob().with("SOURCE_REPOS_PAT="+token).do(6, "drift", "--environment", "staging", "--workers", "1", "--issues", "1", "--json")
		return scanOf(t, r).Issues
	}
	printed := scan(map[string]string{"contents": "read", "deployments": "read", "issues": "read"})
	if len(printed) != 2 || printed[0].Action != issues.Failed || printed[1].Action != issues.Waiting {
		t.Fatalf("without the right to write: %+v", printed)
	}
	printed = scan(map[string]string{"contents": "read", "deployments": "read", "issues": "write"})
	if len(printed) != 2 || printed[0].Action != issues.Waiting || printed[1].Action != issues.Opened {
		t.Fatalf("what failed the last time does not stand back: %+v", printed)
	}
	token := w.token(hub.Token{Name: "again", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{customerSlug, "acme/quiet"}, Permissions: map[string]string{"contents": "read", "deployments": "read", "issues": "write"}})
	r := w.driftJob().with("SOURCE_REPOS_PAT="+token).do(6, "drift", "--environment", "staging", "--issues", "1")
	if !strings.Contains(r.summary, "issues are disabled in this repository") || !strings.Contains(r.summary, "`quiet/staging`") {
		t.Errorf("disabled issues are not told:\n%s", r.summary)
	}
	check(t, w.customer.Rename("old"))
	other := must(w.hub.AddRepo("acme", "shop", hub.RepoOptions{ID: 4713, Private: true}))(t)
	check(t, other.Grant("metapipe-bot", hub.Write))
	w.commit(other, "main", want)
	all := w.token(hub.Token{Name: "all", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{customerSlug, "acme/quiet"}, Permissions: map[string]string{"contents": "read", "deployments": "read", "issues": "write"}})
	r = w.driftJob().with("SOURCE_REPOS_PAT="+all).do(6, "drift", "--environment", "staging", "--customer", "shop", "--issues", "9", "--json")
	if scan := scanOf(t, r); len(scan.Issues) != 0 || scan.Results[0].Failure == nil || len(other.Snapshot().Issues) != 0 {
		t.Errorf("another repository of the name: %+v", scan)
	}
}
