package compliance

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// fixable is an organization with something for each fix, and something that each must leave alone.
func fixable() *github {
	with := func(p Permission, ids ...int64) map[int64]Permission {
		all := map[int64]Permission{}
		for _, id := range ids {
			all[id] = p
		}
		return all
	}
	return &github{
		repos: map[string][]Repository{"acme": {
			repo(1, "former", `{"repo_content_type":["app"],"team_owner":"Old-Web"}`, "src/"),
			repo(2, "one-owner", `{"repo_content_type":["app"],"team_owner":"none-such"}`, "src/"),
			repo(3, "two-owners", `{"repo_content_type":["app"],"team_owner":"none-such"}`, "src/"),
			repo(4, "unset", `{"repo_content_type":["app"]}`, "src/"),
			repo(5, "reader", `{"repo_content_type":["app"],"team_owner":"readers"}`, "src/"),
			repo(6, "more", `{"repo_content_type":["app"],"team_owner":"web"}`, "src/", "infra/"),
			repo(7, "no-type", `{"team_owner":"web"}`, "src/"),
			repo(8, "case", `{"repo_content_type":["app"],"team_owner":"web","color":" Red","colors":["RED","blue"],"customer_tier":"Free"}`, "src/"),
			repo(9, "twice", `{"repo_content_type":["app"],"team_owner":"web","colors":["RED","red"],"color":"reddish"}`, "src/"),
			repo(10, "less", `{"repo_content_type":["app","infra"],"team_owner":"web"}`, "src/"),
			repo(11, "excepted", `{"repo_content_type":["app"],"team_owner":"old-web"}`, "src/"),
			repo(12, "renamed-twice", `{"repo_content_type":["app"],"team_owner":"older"}`, "src/"),
		}},
		teams: map[string][]Team{"acme": {
			{ID: 1, Slug: "web", Permissions: with(Write, 6, 7, 8, 9, 10, 11)}, {ID: 2, Slug: "ops", Permissions: with(Admin, 2, 3, 4)},
			{ID: 3, Slug: "dev", Permissions: with(Maintain, 3, 5)}, {ID: 4, Slug: "readers", Permissions: with(Read, 5)},
		}},
	}
}

var fixRules = Rules{
	Content: "repo_content_type", TeamNames: map[string]string{"old-web": "web", "older": "gone"}, Fixes: FixIDs,
	Properties: []PropertyRule{{Name: "repo_content_type", Need: NeedAll}, {Name: "team_owner", Need: NeedAll, Team: true}, {Name: "color", Values: []string{"red", "blue"}},
		{Name: "colors", Values: []string{"red", "blue"}}, {Name: "customer_tier", Values: []string{"free"}}},
	Exceptions: []Exception{{Repository: "excepted", Exception: pipeline.Exception{Until: now.Add(oneDay)}}},
}

func fixes(t *testing.T, g *github, r Rules) (all []string) {
	t.Helper()
	s := scan(g, r)
	s.Protected = func(property string) bool { return property == "customer_tier" }
	report, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Fixes {
		if f.Reason == "" || f.Repository.ID == 0 {
			t.Errorf("%+v", f)
		}
		all = append(all, fmt.Sprintf("%s %s: %v → %v", f.Repository.Name, f.Property, wordsOf(f.Old), wordsOf(f.New)))
	}
	return all
}

// TestFixes: each fix makes what it says, where the answer is the only one, and nothing is ever taken away.
func TestFixes(t *testing.T) {
	t.Parallel()
	want := []string{
		"case color: [ Red] → [red]", "case colors: [RED blue] → [red blue]",
		"former team_owner: [Old-Web] → [web]",
		"more repo_content_type: [app] → [app infra]",
		"one-owner team_owner: [none-such] → [ops]",
		"reader team_owner: [readers] → [dev]",
		"unset team_owner: [] → [ops]",
	}
	if diff := cmp.Diff(want, fixes(t, fixable(), fixRules)); diff != "" {
		t.Error(diff)
	}
	for id, count := range map[FixID]int{FixRenamedTeam: 1, FixOnlyTeam: 3, FixContent: 1, FixSpelling: 2} {
		r := fixRules
		r.Fixes = []FixID{id}
		if got := fixes(t, fixable(), r); len(got) != count {
			t.Errorf("%s alone: %q", id, got)
		}
	}
	none := fixRules
	none.Fixes = nil
	if got := fixes(t, fixable(), none); len(got) > 0 {
		t.Errorf("nothing is allowed: %q", got)
	}
}

// TestFixesOfWhatIsNotKnown: a team that could not be read, or a repository whose top is not known, is no reason for a
// new value.
func TestFixesOfWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	g := fixable()
	g.failing = map[string]error{"teams acme": pipeline.ErrNotFound}
	for i := range g.repos["acme"] {
		g.repos["acme"][i].RootKnown, g.repos["acme"][i].Root = false, nil
	}
	want := []string{"case color: [ Red] → [red]", "case colors: [RED blue] → [red blue]"}
	if diff := cmp.Diff(want, fixes(t, g, fixRules)); diff != "" {
		t.Error(diff)
	}
}
