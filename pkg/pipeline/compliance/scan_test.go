package compliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

var now = time.Date(2030, 1, 15, 12, 0, 0, 0, time.UTC)

// github answers from memory.
type github struct {
	repos    map[string][]Repository
	teams    map[string][]Team
	failing  map[string]error      // by "repositories acme" or "teams acme"
	files    map[string]FileAnswer // by repository/path
	asked    []string
	shuffled bool
}

func (g *github) OrganizationRepositories(_ context.Context, organization string) ([]Repository, error) {
	g.asked = append(g.asked, "repositories "+organization)
	all := slices.Clone(g.repos[strings.ToLower(organization)])
	if g.shuffled {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return all, g.failing["repositories "+strings.ToLower(organization)]
}

func (g *github) Files(_ context.Context, files []FileQuestion) []FileAnswer {
	answers := make([]FileAnswer, len(files))
	for i, f := range files {
		g.asked = append(g.asked, "file "+f.Path)
		answers[i] = g.files[f.Repository.Name+"/"+f.Path]
	}
	return answers
}

func (g *github) OrganizationTeams(_ context.Context, organization string) ([]Team, error) {
	g.asked = append(g.asked, "teams "+organization)
	return g.teams[strings.ToLower(organization)], g.failing["teams "+strings.ToLower(organization)]
}

// repo is a repository with properties in JSON, and the names at its top; those with a slash are directories.
func repo(id int64, name, properties string, root ...string) Repository {
	r := Repository{Repository: pipeline.Repository{Slug: pipeline.Slug{Owner: "acme", Name: name}, ID: id}, RootKnown: true}
	r.Properties, r.Err = pipeline.ParseProperties(json.RawMessage(properties))
	for _, entry := range root {
		bare, directory := strings.CutSuffix(entry, "/")
		r.Root = append(r.Root, Entry{Name: bare, Directory: directory})
	}
	return r
}

func detect(root []Entry) (app, infra bool) {
	for _, e := range root {
		app, infra = app || e.Name == "src", infra || e.Name == "infra"
	}
	return app, infra
}

var rules = Rules{
	Content: "repo_content_type", Registration: true, Exclude: []string{".github", "acme/archived-*"}, TeamNames: map[string]string{"old-web": "web"},
	Properties: []PropertyRule{
		{Name: "repo_content_type", Need: NeedAll, Where: pipeline.Position{File: "compliance.yml", Line: 3}}, {Name: "team_owner", Need: NeedAll, Team: true},
		{Name: "customer_tier", Need: NeedInfra, Values: []string{"free", "enterprise"}}, {Name: "terraform_version", Values: []string{"1.8"}, Deprecated: map[string]string{"1.5": "use 1.8"}},
		{Name: "security_contact", Need: NeedRecommended},
	},
	Conditions: []Condition{
		{ID: "version-needs-terraform", When: Test{Property: "terraform_version"}, Requires: Test{Property: "infrastructure_tools", Values: []string{"terraform"}}, Severity: High},
		{ID: "free-is-approved", When: Test{Property: "customer_tier", Values: []string{"free"}}, Excludes: Test{Property: "auto_deploy", Values: []string{"true"}}, Severity: Critical},
	},
}

const fine = `"repo_content_type":["app"],"team_owner":"web","security_contact":"x"`

func fleet() *github {
	all := map[int64]Permission{}
	for id := range int64(100) {
		all[id] = Write
	}
	archived, template, fork := repo(50, "old", `{}`), repo(51, "start", `{}`), repo(52, "copy", `{}`)
	archived.Archived, template.Template, fork.Fork = true, true, true
	unread, dark, hidden := repo(60, "unread", `{}`), repo(61, "dark", "{"+fine+"}"), repo(62, "hidden", "{"+fine+"}")
	unread.Err, hidden.Properties, dark.RootKnown = errors.New("GitHub gave up"), pipeline.Properties{}, false
	return &github{
		repos: map[string][]Repository{"acme": {
			repo(1, "well", "{"+fine+"}", "src/"),
			repo(2, "bare", `{}`, "src/"),
			repo(3, "infra", `{"repo_content_type":["infra"],"team_owner":"web","security_contact":"x"}`, "infra/"),
			repo(4, "values", `{"repo_content_type":["app","infra"],"team_owner":"web","security_contact":"x","customer_tier":"Enterprise ","terraform_version":"1.5"}`, "src/", "infra/"),
			repo(5, "teams", `{"repo_content_type":["app"],"team_owner":"old-web","security_contact":"x"}`, "src/"),
			repo(6, "reader", `{"repo_content_type":["app"],"team_owner":"readers","security_contact":"x"}`, "src/"),
			repo(7, "content", `{"repo_content_type":["app"],"team_owner":"web","security_contact":"x"}`, "infra/"),
			repo(8, "free", `{"repo_content_type":["app"],"team_owner":"web","security_contact":"x","customer_tier":"free","auto_deploy":"true"}`, "src/"),
			repo(9, "odd", `{"repo_content_type":"both?","team_owner":{"a":1},"security_contact":"x"}`),
			repo(10, ".github", `{}`), repo(11, "archived-1", `{}`), archived, template, fork, unread, dark, hidden,
		}},
		teams: map[string][]Team{"acme": {{ID: 1, Slug: "web", Permissions: all}, {ID: 2, Slug: "readers", Permissions: map[int64]Permission{6: Read}}}},
	}
}

func scan(g *github, r Rules) *Scan {
	return &Scan{Rules: r, GitHub: g, Now: now, Detect: detect, Customers: map[int64][]pipeline.Customer{3: {{Name: "infra", Repository: pipeline.Slug{Owner: "acme", Name: "infra"}}}, 1: {{Name: "well", Repository: pipeline.Slug{Owner: "Acme", Name: "well"}}}}}
}

func lines(r Report) (all []string) {
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s %s %s %s", f.Severity, f.Repository.Name, f.Rule, f.Property))
	}
	for _, u := range r.Unknown {
		all = append(all, fmt.Sprintf("unknown %s %s", u.Repository.Name, u.What))
	}
	for _, s := range r.Skipped {
		all = append(all, fmt.Sprintf("skipped %s %s", s.Repository.Name, s.Reason))
	}
	return all
}

// TestScan: each rule finds what it is about, and nothing else.
func TestScan(t *testing.T) {
	t.Parallel()
	r, err := scan(fleet(), rules).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"critical free free-is-approved auto_deploy",
		"critical teams unknown-team team_owner",
		"high bare missing-required repo_content_type", "high bare missing-required team_owner",
		"high content content-missing repo_content_type",
		"high infra missing-required customer_tier",
		"high odd invalid-value repo_content_type",
		"high values invalid-value customer_tier", "high values version-needs-terraform infrastructure_tools",
		"medium content content-stale repo_content_type",
		"medium reader team-access team_owner",
		"medium values deprecated-value terraform_version", "medium values not-registered repo_content_type",
		"medium well registered-no-infra repo_content_type",
		"low bare missing-recommended security_contact",
		"unknown dark content", "unknown hidden properties", "unknown odd properties", "unknown unread repository",
		"skipped .github excluded", "skipped archived-1 excluded", "skipped copy fork", "skipped old archived", "skipped start template",
	}
	if diff := cmp.Diff(want, lines(r)); diff != "" {
		t.Error(diff)
	}
	if r.Repositories != 17 || r.Scanned != 12 || r.Count(Critical) != 2 || r.Count(Low) != 1 {
		t.Errorf("%d repositories, %d scanned", r.Repositories, r.Scanned)
	}
	for _, f := range r.Findings {
		if f.Message == "" || f.Remedy == "" || f.RepositoryID == 0 {
			t.Errorf("%+v", f)
		}
	}
	remedies := map[string]string{}
	for _, f := range r.Findings {
		remedies[f.Repository.Name+" "+f.Property] = f.Remedy
	}
	if remedies["teams team_owner"] != `the team is called "web" now: set it to that` || remedies["values customer_tier"] != `write it "enterprise"` {
		t.Errorf("%q", remedies)
	}
}

// TestOrderOfPages: the order in which GitHub lists repositories changes nothing.
func TestOrderOfPages(t *testing.T) {
	t.Parallel()
	want, err := scan(fleet(), rules).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		g := fleet()
		g.shuffled = true
		got, err := scan(g, rules).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b pipeline.Properties) bool { return a.Equal(b) })); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestWhatCannotBeRead is unknown, and never compliant.
func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	g := fleet()
	g.failing = map[string]error{"teams acme": errors.New("HTTP 403")}
	r, err := scan(g, rules).Run(t.Context())
	if err != nil || !slices.ContainsFunc(r.Unknown, func(u Unknown) bool { return u.What == "teams" && u.Organization == "Acme" }) {
		t.Errorf("%v, %+v", err, r.Unknown)
	}
	if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule == RuleUnknownTeam || f.Rule == RuleTeamAccess }) {
		t.Error("teams that were not read are compared")
	}
	g = fleet()
	g.failing = map[string]error{"repositories acme": errors.New("HTTP 502")}
	if _, err := scan(g, rules).Run(t.Context()); err == nil {
		t.Error("nothing was read, and nothing is wrong")
	}
	both := rules
	both.Organizations = []string{"acme", "other"}
	r, err = scan(g, both).Run(t.Context())
	if err != nil || len(r.Unknown) != 1 || r.Unknown[0].What != "repositories" {
		t.Errorf("%v, %+v", err, r.Unknown)
	}
}

// TestExceptions take findings out until they end, and say so before and after.
func TestExceptions(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		exception Exception
		out       int    // findings that it takes out
		note      string // a part of what is said of it
	}{
		"of a name":            {Exception{Repository: "bare", Exception: pipeline.Exception{Until: now.Add(60 * day)}}, 3, ""},
		"of a pattern":         {Exception{Repository: "acme/BA*", Exception: pipeline.Exception{Until: now.Add(60 * day)}}, 3, ""},
		"of a rule":            {Exception{Repository: "bare", Rule: RuleMissingRequired, Exception: pipeline.Exception{Until: now.Add(60 * day)}}, 2, ""},
		"of a property":        {Exception{Repository: "bare", Property: "Team_Owner", Exception: pipeline.Exception{Until: now.Add(60 * day)}}, 1, ""},
		"of an id":             {Exception{RepositoryID: 2, Exception: pipeline.Exception{Until: now.Add(60 * day)}}, 3, ""},
		"of another id":        {Exception{RepositoryID: 1000, Exception: pipeline.Exception{Until: now.Add(60 * day)}}, 0, ""}, // something is unknown, so it may be about that
		"of all organizations": {Exception{Repository: "other/*", Exception: pipeline.Exception{Until: now.Add(60 * day)}}, 0, ""},
		"that ends soon":       {Exception{Repository: "bare", Exception: pipeline.Exception{Until: now.Add(14 * day)}}, 3, "it ends after 2030-01-29"},
		"that has ended":       {Exception{Repository: "bare", Exception: pipeline.Exception{Until: now}}, 0, "its findings count again"},
		"that has no use":      {Exception{Repository: "well2", Exception: pipeline.Exception{Until: now}}, 0, "it has ended: remove it"},
	} {
		r := rules
		r.Exceptions = []Exception{c.exception}
		got, err := scan(fleet(), r).Run(t.Context())
		if err != nil || len(got.Excepted) != c.out || len(got.Findings)+len(got.Excepted) != 15 {
			t.Errorf("%s: %v, %d findings taken out, %d left", name, err, len(got.Excepted), len(got.Findings))
		}
		note := ""
		for _, n := range got.Exceptions {
			note += n.Message
		}
		if note != c.note && (c.note == "" || !strings.Contains(note, c.note)) {
			t.Errorf("%s: %q", name, note)
		}
	}
	known := rules
	known.Exceptions = []Exception{{Repository: "gone", Exception: pipeline.Exception{Until: now.Add(60 * day)}}}
	g := fleet()
	g.repos["acme"] = g.repos["acme"][:8]
	if got, err := scan(g, known).Run(t.Context()); err != nil || len(got.Exceptions) != 1 || got.Exceptions[0].Message != "it is about no finding: remove it" {
		t.Errorf("%v, %+v", err, got.Exceptions)
	}
	part := scan(g, known)
	part.Limit = 2
	if got, err := part.Run(t.Context()); err != nil || len(got.Exceptions) != 0 || got.Scanned != 2 || len(got.Skipped) != 6 {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := scan(fleet(), rules)
	s.Repository = "b*"
	r, err := s.Run(t.Context())
	if err != nil || r.Scanned != 1 || len(r.Findings) != 3 || len(r.Unknown) != 0 {
		t.Errorf("%v, %+v", err, r)
	}
	if want := 10 - 1.5 - 1.5 - 0.2; r.Score != want {
		t.Errorf("score %v, want %v", r.Score, want)
	}
	s = scan(fleet(), rules)
	s.Repository = "shopp-*"
	var usage *pipeline.UsageError
	if _, err := s.Run(t.Context()); !errors.As(err, &usage) || !strings.Contains(err.Error(), "repositories matches \"shopp-*\"") {
		t.Errorf("a name that no repository has: %v", err)
	}
	if got := scoreOf(slices.Repeat([]Finding{{Severity: Critical}}, 5)); got != 0 {
		t.Errorf("score %v", got)
	}
}

// TestRepositoryWithoutAName: a repository of which GitHub says nothing could be the one that is asked for.
func TestRepositoryWithoutAName(t *testing.T) {
	t.Parallel()
	g := fleet()
	g.repos["acme"] = append(g.repos["acme"], Repository{Err: errors.New("GitHub gave up")})
	all := rules
	all.Exclude = []string{"*"}
	for _, pattern := range []string{"well", ""} {
		s := scan(g, all)
		s.Repository, s.Limit = pattern, 1
		r, err := s.Run(t.Context())
		if err != nil || len(r.Unknown) != 1 || r.Unknown[0].What != "repository" || r.Unknown[0].Organization != "Acme" {
			t.Errorf("%q: %v, %+v", pattern, err, r.Unknown)
		}
	}
}

func TestOrganizations(t *testing.T) {
	t.Parallel()
	g := fleet()
	if _, err := scan(g, rules).Run(t.Context()); err != nil || !slices.Equal(g.asked, []string{"repositories Acme", "teams Acme"}) {
		t.Errorf("%v, asked %q", err, g.asked)
	}
}

// TestWhatGitHubDoesNotList: the repository of a customer that is not listed is unknown, and a scan of nothing is an
// error: neither is compliant.
func TestWhatGitHubDoesNotList(t *testing.T) {
	t.Parallel()
	g := fleet()
	g.repos["acme"] = g.repos["acme"][1:2] // without that of the customers well and infra
	r, err := scan(g, rules).Run(t.Context())
	if err != nil || len(r.Unknown) != 2 || r.Unknown[0].RepositoryID != 1 || r.Unknown[1].RepositoryID != 3 {
		t.Errorf("%v, %+v", err, r.Unknown)
	}
	part := scan(g, rules)
	part.Repository = "bare"
	if r, err := part.Run(t.Context()); err != nil || len(r.Unknown) != 0 {
		t.Errorf("%v, %+v", err, r.Unknown)
	}
	none := scan(g, rules)
	none.Customers = nil
	if _, err := none.Run(t.Context()); err == nil {
		t.Error("no organization is scanned, and nothing is wrong")
	}
}

// TestScoreOfWhatIsKnown: what is not known has no score, and each team of a list is looked for.
func TestScoreOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	g := fleet()
	g.repos["acme"] = slices.DeleteFunc(g.repos["acme"], func(r Repository) bool { return r.Name != "unread" })
	s := scan(g, rules)
	s.Customers, s.Rules.Organizations = nil, []string{"acme"}
	if r, err := s.Run(t.Context()); err != nil || r.Score != 0 || len(r.Unknown) != 1 {
		t.Errorf("%v, score %v, %+v", err, r.Score, r.Unknown)
	}
	g.repos["acme"] = []Repository{repo(1, "well", `{"repo_content_type":["app"],"team_owner":["web","ghost"],"security_contact":"x"}`, "src/")}
	if r, err := s.Run(t.Context()); err != nil || len(r.Findings) != 1 || r.Findings[0].Rule != RuleUnknownTeam {
		t.Errorf("%v, %+v", err, r.Findings)
	}
}
