package drift

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// issueScans are scans of one target that write to its issue.
type issueScans struct {
	*fixture.Setup
	dir  string
	file string // the managed one
	hand *github.Client
}

func newIssueScans(t *testing.T) *issueScans {
	t.Helper()
	config := fixture.ProviderConfig(t, "local")
	s := &issueScans{dir: t.TempDir()}
	s.file = filepath.Join(s.dir, "staging.txt")
	s.Setup = fixture.New(t, fixture.DriftFiles(s.dir))
	s.Setenv("TF_CLI_CONFIG_FILE=" + config)
	token := s.Token(hub.Token{Name: "hand", Kind: hub.Classic, User: "casey", Scopes: []string{"repo"}})
	s.hand = fixture.Must(github.New(github.Options{BaseURL: s.Hub.URL(), Token: token}))(t)
	r := s.Accept(s.Push("main", s.variables("shop")))
	p := r.Planned("staging")
	r.Do(0, "apply", "staging", "--receipt", p.Outputs["receipt"])
	r.Report("--final")
	return s
}

func (s *issueScans) variables(name string) map[string]string {
	return map[string]string{"infra/variables.yml": "name: " + name + "\nenvironments:\n  staging: {}\n"}
}

// merge changes what the customer asks for.
func (s *issueScans) merge(name string) { s.Commit(s.Customer, "main", s.variables(name)) }

// does is what a person does to the issue.
func (s *issueScans) does(edit issues.Draft) {
	s.T.Helper()
	fixture.Must(s.hand.EditIssue(s.T.Context(), acmeShop, 1, edit))(s.T)
}

var acmeShop = pipeline.Slug{Owner: "acme", Name: "shop"}

// scan looks at the target with the documented permissions and compares what is
// written to GitHub, and how often it is read.
func (s *issueScans) scan(exit int, did issues.Action, reads int, writes ...string) fixture.Result {
	s.T.Helper()
	s.Hub.ResetCalls()
	j := s.DriftJob().Thin("SOURCE_REPOS_PAT", fixture.DocumentedPermissions(s.T)[[2]string{"drift", "SOURCE_REPOS_PAT"}])
	r := j.Do(exit, "drift", "--environment", "staging", "--issues", "10", "--json")
	if got := s.Writes(); !slices.Equal(got, writes) {
		s.T.Errorf("%q wrote %v, want %v", did, got, writes)
	}
	if got := len(s.Hub.Calls()) - len(s.Writes()); got != reads {
		s.T.Errorf("%q read %d times, want %d: %v", did, got, reads, s.Hub.Calls())
	}
	printed := fixture.ScanOf(s.T, r).Issues
	if did == "" && len(printed) == 0 {
		return r
	}
	if len(printed) != 1 || printed[0].Action != did || printed[0].Number != 1 || !strings.HasSuffix(printed[0].URL, "/issues/1") {
		s.T.Errorf("told %+v, want %q", printed, did)
	}
	return r
}

// issue is the only one that there is.
func (s *issueScans) issue(state string) hub.IssueSnapshot {
	s.T.Helper()
	all := s.Customer.Snapshot().Issues
	if len(all) != 1 || all[0].State != state {
		s.T.Fatalf("want one issue that is %s: %+v", state, all)
	}
	return all[0]
}

// TestTheIssueOfATarget follows one issue over the scans of its life.
func TestTheIssueOfATarget(t *testing.T) {
	t.Parallel()
	s := newIssueScans(t)
	const list, one = "/repos/acme/shop/issues", "/repos/acme/shop/issues/1"
	s.scan(0, "", 1) // the file of the customer, and nothing else

	fixture.Check(t, os.Remove(s.file))
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
	if !strings.Contains(r.Summary, "[issue 1](") || !strings.Contains(r.Summary, "opened") {
		t.Errorf("the summary does not tell of the issue:\n%s", r.Summary)
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
	s.Commit(s.Customer, "main", map[string]string{"infra/variables.yml": "name: [\n"})
	s.scan(6, "", 2)
	s.merge("fourth")
	s.does(issues.Draft{Labels: []string{"drift-detected", "drift-snooze-2020-01-01", "ours"}})
	s.scan(6, issues.Edited, 5, "PATCH "+one)
	if got := s.issue("open"); !slices.Contains(got.Labels, "ours") || !slices.Contains(got.Labels, "staging") || got.Body == body {
		t.Errorf("edited to %+v", got)
	}

	s.merge("shop")
	fixture.Check(t, os.WriteFile(s.file, []byte("shop"), 0o600))
	fixture.Check(t, os.Chmod(s.file, 0o777))
	s.scan(0, issues.Closed, 4, "PATCH "+one, "POST "+one+"/comments")
	if got := s.issue("closed"); len(got.Comments) != 1 || !strings.Contains(got.Comments[0].Body, "matches the configuration again") {
		t.Errorf("closed as %+v", got)
	}
	s.scan(0, "", 1)

	// The store forgets: the marker and the author lead to the same issue.
	fixture.Check(t, os.RemoveAll(filepath.Join(s.Store, "_metapipe", "scans", "issues")))
	fixture.Must(s.hand.CreateIssue(t.Context(), acmeShop, issues.Draft{Title: "Mine", Body: s.issue("closed").Body, Labels: []string{"drift-detected"}}))(t)
	fixture.Check(t, os.Remove(s.file))
	s.scan(6, issues.Reopened, 4, "PATCH "+one)
	if all := s.Customer.Snapshot().Issues; len(all) != 2 || all[1].Author != "casey" || all[1].State != "open" || all[0].State != "open" {
		t.Errorf("issues %+v", all)
	}
}

// TestIssuesThatCannotBeWritten are told to the manager: those of a repository
// without issues, of a token without the right, and of a name that has changed hands.
func TestIssuesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := fixture.DriftFiles(dir)
	files["metapipe.yml"] = strings.Replace(files["metapipe.yml"], "drift:\n", "drift:\n  pending: issue\n", 1)
	files["customers/quiet.yml"] = "repository: acme/quiet\nrepository_id: 4712\n"
	files["terraform/main.tf"] = fixture.ManagerFiles["terraform/main.tf"]
	w := fixture.New(t, files)
	quiet := fixture.Must(w.Hub.AddRepo("acme", "quiet", hub.RepoOptions{ID: 4712, Private: true, NoIssues: true}))(t)
	fixture.Check(t, quiet.Grant("metapipe-bot", hub.Write))
	want := map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"}
	w.Commit(quiet, "main", want)
	w.Commit(w.Customer, "main", want)
	scan := func(grants map[string]string) []drift.TargetIssue {
		t.Helper()
		token := w.Token(hub.Token{Name: "source " + grants["issues"], Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.CustomerSlug, "acme/quiet"}, Permissions: grants})
		r := w.DriftJob().With("SOURCE_REPOS_PAT="+token).Do(6, "drift", "--environment", "staging", "--workers", "1", "--issues", "1", "--json")
		return fixture.ScanOf(t, r).Issues
	}
	printed := scan(map[string]string{"contents": "read", "deployments": "read", "issues": "read"})
	if len(printed) != 2 || printed[0].Action != issues.Failed || printed[1].Action != issues.Waiting {
		t.Fatalf("without the right to write: %+v", printed)
	}
	printed = scan(map[string]string{"contents": "read", "deployments": "read", "issues": "write"})
	if len(printed) != 2 || printed[0].Action != issues.Waiting || printed[1].Action != issues.Opened {
		t.Fatalf("what failed the last time does not stand back: %+v", printed)
	}
	token := w.Token(hub.Token{Name: "again", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.CustomerSlug, "acme/quiet"}, Permissions: map[string]string{"contents": "read", "deployments": "read", "issues": "write"}})
	r := w.DriftJob().With("SOURCE_REPOS_PAT="+token).Do(6, "drift", "--environment", "staging", "--issues", "1")
	if !strings.Contains(r.Summary, "issues are disabled in this repository") || !strings.Contains(r.Summary, "`quiet/staging`") {
		t.Errorf("disabled issues are not told:\n%s", r.Summary)
	}
	fixture.Check(t, w.Customer.Rename("old"))
	other := fixture.Must(w.Hub.AddRepo("acme", "shop", hub.RepoOptions{ID: 4713, Private: true}))(t)
	fixture.Check(t, other.Grant("metapipe-bot", hub.Write))
	w.Commit(other, "main", want)
	all := w.Token(hub.Token{Name: "all", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.CustomerSlug, "acme/quiet"}, Permissions: map[string]string{"contents": "read", "deployments": "read", "issues": "write"}})
	r = w.DriftJob().With("SOURCE_REPOS_PAT="+all).Do(6, "drift", "--environment", "staging", "--customer", "shop", "--issues", "9", "--json")
	if scan := fixture.ScanOf(t, r); len(scan.Issues) != 0 || scan.Results[0].Failure == nil || len(other.Snapshot().Issues) != 0 {
		t.Errorf("another repository of the name: %+v", scan)
	}
}
