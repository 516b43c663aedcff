package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

var permissions = []hub.Permission{hub.PermissionRead, hub.PermissionTriage, hub.PermissionWrite, hub.PermissionMaintain, hub.PermissionAdmin}

// crowd gives acme n teams, each with the next of its repositories, and one, Team 000, with as many as
// large says. It returns them as they are to be read.
func (w *fixture) crowd(n, large, repositories int) []compliance.Team {
	w.t.Helper()
	var all []compliance.Team
	for i := range n {
		name := fmt.Sprintf("Team %03d", i)
		team := must(w.hub.AddTeam("acme", hub.NewTeam{Name: name, Secret: i%2 == 1}))(w.t)
		one := compliance.Team{ID: team.ID(), Name: name, Slug: fmt.Sprintf("team-%03d", i), Permissions: map[int64]compliance.Permission{}}
		count := 3
		if i == 0 {
			count = large
		}
		for j := range count {
			repo := must(w.hub.Repo(fmt.Sprintf("acme/r%04d", (i*7+j)%repositories)))(w.t)
			permission := permissions[(i+j)%len(permissions)]
			check(w.t, team.Grant(repo, permission))
			one.Permissions[repo.ID()] = compliance.Permission(permission)
		}
		all = append(all, one)
	}
	w.hub.ResetCalls()
	return all
}

// TestOrganizationTeams: the teams of a thousand repositories are two calls and more only for the pages
// of the largest team.
func TestOrganizationTeams(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 1000)
	want := w.crowd(120, 450, 1000)
	must(w.hub.AddTeam("acme", hub.NewTeam{Name: "Zero"}))(t)
	c := w.client()
	teams, err := c.OrganizationTeams(t.Context(), "acme")
	check(t, err)
	zero := teams[len(teams)-1]
	if diff := cmp.Diff(want, teams[:len(teams)-1]); diff != "" || zero.Slug != "zero" || zero.Permissions == nil || len(zero.Permissions) != 0 {
		t.Errorf("%+v %s", zero, diff)
	}
	if b := c.Budget(); w.asked() != 2+4 || b.Reads != 6 || b.Writes != 0 || b.Waited != 0 {
		t.Errorf("%d queries, %+v", w.asked(), b)
	}
}

// TestManyLargeTeams: the further pages of all teams are read together.
func TestManyLargeTeams(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 250)
	var want []compliance.Team
	for i := range 5 {
		team := must(w.hub.AddTeam("acme", hub.NewTeam{Name: fmt.Sprint("team", i)}))(t)
		one := compliance.Team{ID: team.ID(), Name: fmt.Sprint("team", i), Slug: fmt.Sprint("team", i), Permissions: map[int64]compliance.Permission{}}
		for j := range 50 * (i + 1) {
			repo := must(w.hub.Repo(fmt.Sprintf("acme/r%04d", j)))(t)
			check(t, team.Grant(repo, hub.PermissionWrite))
			one.Permissions[repo.ID()] = compliance.Write
		}
		want = append(want, one)
	}
	w.hub.ResetCalls()
	teams := must(w.client().OrganizationTeams(t.Context(), "acme"))(t)
	if diff := cmp.Diff(want, teams); diff != "" || w.asked() != 3 {
		t.Errorf("%d queries; %s", w.asked(), diff)
	}
}

// TestLargeTeamPages: what GitHub does not manage is asked for in smaller pages: of teams, and
// of the repositories of each.
func TestLargeTeamPages(t *testing.T) {
	t.Parallel()
	fewRepositories := func(_ int, _ string, variables, answer map[string]any) int {
		if variables["repositories"].(float64) > 20 {
			answer["errors"] = []any{map[string]any{"message": "Something went wrong while executing your query. Please include 1234"}}
			answer["data"] = nil
		}
		return 0
	}
	for name, c := range map[string]struct {
		fault   *hubtest.Fault
		matches func(*http.Request) bool
		times   int
		edit    func(int, string, map[string]any, map[string]any) int
		queries int
	}{
		"more than ten teams time out": {&hubtest.Fault{Status: 502}, firstAbove(10), -1, nil, 24},
		"once":                         {&hubtest.Fault{Status: 502}, firstAbove(1), 1, nil, 4},
		"a lost answer":                {&hubtest.Fault{Reset: true}, firstAbove(1), 1, nil, 4},
		"many repositories of a team":  {nil, nil, 0, fewRepositories, 24},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOrganization(t, 150)
			want := w.crowd(60, 120, 150)
			var options []func(*github.Options)
			if c.edit != nil {
				options = append(options, edited(c.edit))
			} else {
				w.hub.Fail(hubtest.Matcher{Route: "/graphql", Request: c.matches}, *c.fault, c.times)
			}
			teams, err := w.client(options...).OrganizationTeams(t.Context(), "acme")
			check(t, err)
			if diff := cmp.Diff(want, teams); diff != "" || w.asked() != c.queries {
				t.Errorf("%d queries, want %d; %s", w.asked(), c.queries, diff)
			}
		})
	}
	w := newOrganization(t, 1)
	w.crowd(1, 1, 1)
	w.hub.Fail(hubtest.Matcher{Route: "/graphql"}, hubtest.Fault{Status: 502, Message: "Something went wrong"}, -1)
	if teams, err := w.client().OrganizationTeams(t.Context(), "acme"); err == nil || teams != nil || !strings.Contains(err.Error(), "GitHub has trouble") {
		t.Errorf("%v, %d teams", err, len(teams))
	}
}

// TestTeamRights: teams that the token may not read are an error, and never none.
func TestTeamRights(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 5)
	all := w.crowd(4, 2, 5)
	must(w.hub.AddUser(hub.User{Login: "beta", Type: hub.Organization}))(t)
	as := func(o hub.Token) *github.Client {
		secret := must(w.hub.AddToken(o))(t).Secret
		return w.client(func(o *github.Options) { o.Token = secret })
	}
	one := []string{"acme/r0000"}
	for name, c := range map[string]struct {
		client       *github.Client
		organization string
		want         string
		invisible    bool
	}{
		"no scope":        {as(hub.Token{Name: "scope", Kind: hub.Classic, User: "robin", Scopes: []string{"repo"}}), "acme", "give the token the permission to read the members (of a classic token: the scope read:org) of acme", false},
		"no permission":   {as(hub.Token{Name: "fine", Kind: hub.FineGrained, User: "robin", Repositories: one}), "acme", "give the token the permission to read the members", false},
		"of a job":        {as(hub.Token{Name: "job", Kind: hub.Actions, Repositories: one}), "acme", "give the token the permission to read the members", false},
		"of no member":    {as(hub.Token{Name: "kim", Kind: hub.Classic, User: "kim", Scopes: []string{"repo", "read:org"}}), "acme", "which is of no member of the organization", false},
		"a person":        {w.client(), "kim", "kim is an organization and no person", true},
		"no organization": {w.client(), "nobody", "Could not resolve", true},
	} {
		teams, err := c.client.OrganizationTeams(t.Context(), c.organization)
		if err == nil || teams != nil || !strings.Contains(err.Error(), c.want) || pipeline.NotVisible(err) != c.invisible {
			t.Errorf("%s: %v, %d teams", name, err, len(teams))
		}
	}
	teams := must(as(hub.Token{Name: "members", Kind: hub.App, User: "github-actions[bot]", Repositories: one, Permissions: map[string]string{"members": "read"}}).OrganizationTeams(t.Context(), "acme"))(t)
	if len(teams) != 4 || len(teams[0].Permissions) != 1 {
		t.Errorf("an App sees all teams with the repositories that it sees: %+v", teams)
	}
	check(t, must(w.hub.Repo("acme/r0000"))(t).Grant("kim", hub.Read))
	member := as(hub.Token{Name: "member", Kind: hub.Classic, User: "kim", Scopes: []string{"repo", "read:org"}})
	if teams := must(member.OrganizationTeams(t.Context(), "acme"))(t); len(teams) != 2 || teams[1].Slug != "team-002" {
		t.Errorf("a member does not see the secret teams of others: %+v", teams)
	}
	if teams := must(w.client().OrganizationTeams(t.Context(), "ACME"))(t); cmp.Diff(all, teams) != "" {
		t.Error(cmp.Diff(all, teams))
	}
	check(t, w.hub.AddOwner("beta", "robin"))
	if teams, err := w.client().OrganizationTeams(t.Context(), "beta"); err != nil || teams == nil || len(teams) != 0 {
		t.Errorf("an organization without teams, for its owner: %v %v", teams, err)
	}
}

// TestTeamsMove: a team that goes, or a repository that GitHub leaves out, is an error. A new name between
// two readings changes nothing else.
func TestTeamsMove(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *fixture, large *hub.Team){
		"another name":   func(_ *fixture, large *hub.Team) { check(t, large.Rename("Base")) },
		"gone":           func(_ *fixture, large *hub.Team) { large.Remove() },
		"fewer of them":  func(w *fixture, large *hub.Team) { check(t, large.Grant(must(w.hub.Repo("acme/r0001"))(t), "")) },
		"an unknown one": func(w *fixture, _ *hub.Team) { must(w.hub.Repo("acme/r0110"))(t).FailQueries("", hub.QueryFault{}) },
		"a forbidden one": func(w *fixture, _ *hub.Team) {
			must(w.hub.Repo("acme/r0110"))(t).FailQueries("", hub.QueryFault{Type: "FORBIDDEN", Message: "no"})
		},
		"the organization": func(w *fixture, _ *hub.Team) { check(t, w.hub.RenameUser("acme", "ajax")) },
	} {
		w := newOrganization(t, 120)
		large := must(w.hub.AddTeam("acme", hub.NewTeam{Name: "Large"}))(t)
		for i := range 120 {
			check(t, large.Grant(must(w.hub.Repo(fmt.Sprintf("acme/r%04d", i)))(t), hub.PermissionRead))
		}
		teams, err := w.client(edited(func(n int, _ string, _, _ map[string]any) int {
			if n == 1 {
				change(w, large)
			}
			return 0
		})).OrganizationTeams(t.Context(), "acme")
		if err == nil || teams != nil {
			t.Errorf("%s: %v", name, teams)
		}
	}
	w := newOrganization(t, 1)
	crew := must(w.hub.AddTeam("acme", hub.NewTeam{Name: "Crew"}))(t)
	before := must(w.client().OrganizationTeams(t.Context(), "acme"))(t)
	check(t, crew.Rename("Base Camp"))
	after := must(w.client().OrganizationTeams(t.Context(), "acme"))(t)
	if before[0].ID != after[0].ID || before[0].Slug != "crew" || after[0].Slug != "base-camp" || after[0].Name != "Base Camp" {
		t.Errorf("%+v %+v", before, after)
	}
}

func teamJSON(id string, total int, more, edges string) string {
	return fmt.Sprintf(`{"databaseId":%s,"slug":"t%s","name":"T %s","repositories":{"totalCount":%d,"edges":[%s],"pageInfo":{"hasNextPage":%s}}}`, id, id, id, total, edges, more)
}

func edgeJSON(permission string, id int) string {
	return fmt.Sprintf(`{"permission":%q,"node":{"databaseId":%d}}`, permission, id)
}

// TestTeamAnswers: an answer that is not whole, or contradicts itself, is an error.
func TestTeamAnswers(t *testing.T) {
	t.Parallel()
	list := func(total, more, nodes string) string {
		return `{"data":{"organization":{"login":"acme","viewerIsAMember":true,"teams":{"totalCount":` + total + `,"nodes":[` + nodes + `],"pageInfo":{"hasNextPage":` + more + `}}}}}`
	}
	team := func(total int, more, edges string) string {
		return list("1", "false", teamJSON("1", total, more, edges))
	}
	further := func(more string) string {
		return `{"data":{"organization":{"login":"acme","viewerIsAMember":true,"t0":` + more + `}}}`
	}
	first := team(2, `true,"endCursor":"a"`, edgeJSON("READ", 7))
	for name, c := range map[string]struct {
		pages []string
		want  string
	}{
		"good":                     {[]string{team(1, "false", edgeJSON("MAINTAIN", 7))}, "[{1 t1 T 1 map[7:MAINTAIN]}]"},
		"good, two pages":          {[]string{first, further(teamJSON("1", 2, "false", edgeJSON("ADMIN", 8)))}, "[{1 t1 T 1 map[7:READ 8:ADMIN]}]"},
		"none":                     {[]string{list("0", "false", "")}, "[]"},
		"a new permission":         {[]string{team(1, "false", edgeJSON("OWN", 7))}, "! the permission \"OWN\" of a team is not known to this version"},
		"no permission":            {[]string{team(1, "false", `{"node":{"databaseId":7}}`)}, "! the permission"},
		"a null repository":        {[]string{team(1, "false", "null")}, "! the answer lacks a repository of a team"},
		"a repository without id":  {[]string{team(1, "false", `{"permission":"READ","node":{}}`)}, "! the answer lacks a repository of a team"},
		"an odd repository":        {[]string{team(1, "false", `7`)}, "! decode the answer"},
		"a repository twice":       {[]string{team(2, "false", edgeJSON("READ", 7)+","+edgeJSON("ADMIN", 7))}, "! the id 7 is in a list twice"},
		"too few repositories":     {[]string{team(2, "false", edgeJSON("READ", 7))}, "! GitHub counts 2 entries of a list, and 1 were read"},
		"no end of repositories":   {[]string{team(2, "true", edgeJSON("READ", 7))}, "! the answer does not say where"},
		"a null team":              {[]string{list("1", "false", "null")}, "! the answer lacks a team"},
		"a team without id":        {[]string{list("1", "false", teamJSON("0", 0, "false", ""))}, "! the answer lacks a team"},
		"a team without list":      {[]string{list("1", "false", `{"databaseId":1,"slug":"t","name":"T"}`)}, "! the answer lacks a list"},
		"an odd team":              {[]string{list("1", "false", `[]`)}, "! decode the answer"},
		"a team twice":             {[]string{list("2", "false", teamJSON("1", 0, "false", "")+","+teamJSON("1", 0, "false", ""))}, "! the id 1 is in a list twice"},
		"too few teams":            {[]string{list("2", "false", teamJSON("1", 0, "false", ""))}, "! GitHub counts 2 entries of a list"},
		"no list":                  {[]string{`{"data":{"organization":{"login":"acme","viewerIsAMember":true}}}`}, "! the answer lacks a list"},
		"no organization":          {[]string{`{"data":{"organization":null}}`}, "! the answer lacks the organization"},
		"none, and no member":      {[]string{strings.Replace(list("0", "false", ""), "true", "false", 1)}, "! GitHub shows none to this token"},
		"none, and who knows":      {[]string{strings.Replace(list("0", "false", ""), `"viewerIsAMember":true,`, "", 1)}, "! GitHub shows none to this token"},
		"an error anywhere":        {[]string{strings.TrimSuffix(team(1, "false", edgeJSON("READ", 7)), "}") + `,"errors":[{"message":"odd","path":["organization","teams","nodes",0,"name"]}]}`}, "! odd"},
		"an error of the limit":    {[]string{strings.TrimSuffix(team(1, "false", edgeJSON("READ", 7)), "}") + `,"errors":[{"message":"odd","path":["rateLimit"]}]}`}, "[{1 t1 T 1 map[7:READ]}]"},
		"the token in an error":    {[]string{`{"data":null,"errors":[{"message":"bad ` + token + `"}]}`}, "! bad ***"},
		"the same cursor":          {[]string{first, further(teamJSON("1", 2, `true,"endCursor":"a"`, ""))}, "! team \"t1\": the answer does not say where"},
		"the same page":            {[]string{first, further(teamJSON("1", 2, "false", edgeJSON("READ", 7)))}, "! team \"t1\": the id 7 is in a list twice"},
		"another team":             {[]string{first, further(teamJSON("2", 2, "false", edgeJSON("READ", 8)))}, "! team \"t1\": another page is about another team"},
		"a team that is gone":      {[]string{first, further("null")}, "! team \"t1\": the answer lacks a team"},
		"an organization is gone":  {[]string{first, `{"data":{"organization":null}}`}, "! the answer lacks the organization"},
		"a further page that ends": {[]string{first, further(teamJSON("1", 2, "false", ""))}, "! team \"t1\": GitHub counts 2 entries of a list, and 1 were read"},
	} {
		var handlers []http.HandlerFunc
		for _, body := range c.pages {
			handlers = append(handlers, answer(200, body))
		}
		s := serve(t, map[string]http.HandlerFunc{"POST /graphql": serialized(handlers...)})
		teams, err := s.client(t).OrganizationTeams(t.Context(), "acme")
		said := fmt.Sprint(teams)
		if err != nil {
			said = "! " + strings.TrimPrefix(err.Error(), "read the teams of acme on GitHub: ")
		}
		if !strings.HasPrefix(said, c.want) || len(s.seen) != len(c.pages) {
			t.Errorf("%s: %q, want %q; %d requests", name, said, c.want, len(s.seen))
		}
	}
}
