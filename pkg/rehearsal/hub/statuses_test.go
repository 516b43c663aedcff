package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestStatuses(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	api, ctx := s.client("job").Repositories, t.Context()
	post := func(statusContext, state, description string) (*github.RepoStatus, error) {
		st, _, err := api.CreateStatus(ctx, "acme", "shop", s.first, &github.RepoStatus{
			Context: &statusContext, State: &state, Description: &description, TargetURL: github.String(s.hub.URL() + "/x"),
		})
		return st, err
	}
	combined := func() *github.CombinedStatus {
		v, _, err := api.GetCombinedStatus(ctx, "acme", "shop", "main", nil)
		good(t, err)
		return v
	}
	equal(t, "without any", combined().GetState(), "pending")
	st, err := post("infra/x", "pending", strings.Repeat("ü", 140))
	good(t, err)
	equal(t, "creator", st.GetCreator().GetLogin(), "github-actions[bot]")
	equal(t, "pending", combined().GetState(), "pending")
	got(post("INFRA/X", "success", "done"))(t)
	v := combined()
	equal(t, "one context", fmt.Sprintln(v.GetState(), v.GetTotalCount(), v.Statuses[0].GetContext()), "success 1 INFRA/X\n")
	got(post("infra/y", "error", ""))(t)
	equal(t, "error", combined().GetState(), "failure")
	list, _, err := api.ListStatuses(ctx, "acme", "shop", "heads/main", &github.ListOptions{PerPage: 2})
	good(t, err)
	equal(t, "newest first", fmt.Sprintln(len(list), list[0].GetContext(), list[1].GetContext()), "2 infra/y INFRA/X\n")
}

func TestStatusRefusals(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	for name, c := range map[string]struct {
		sha, body string
		status    int
		text      string
	}{
		"long":        {s.first, `{"state":"success","description":"` + strings.Repeat("x", 141) + `"}`, 422, "description is too long (maximum is 140 characters)"},
		"state":       {s.first, `{"state":"done"}`, 422, "state is not included in the list"},
		"no state":    {s.first, `{}`, 422, "state is not included in the list"},
		"link":        {s.first, `{"state":"success","target_url":"javascript:alert(1)"}`, 422, "target_url must use http(s) scheme"},
		"unknown sha": {strings.Repeat("a", 40), `{"state":"success"}`, 422, "No commit found for SHA"},
		"short sha":   {s.first[:10], `{"state":"success"}`, 422, "No commit found for SHA"},
		"not JSON":    {s.first, `{`, 400, "Problems parsing JSON"},
		"wrong type":  {s.first, `{"state":7}`, 422, "Invalid request"},
	} {
		a := s.send("job", "POST", "/repos/acme/shop/statuses/"+c.sha, c.body)
		if a.status != c.status || !strings.Contains(a.body, c.text) {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	equal(t, "statuses", len(s.customer.Snapshot().Statuses), 0)
	for i := range 1001 {
		a := s.send("job", "POST", "/repos/acme/shop/statuses/"+s.first, `{"state":"pending","context":"c"}`)
		want := 201
		if i == 1000 {
			want = 422
		}
		if i == 900 { // the job's allowance is 1,000 an hour
			s.clock.pass(2 * 3600e9)
		}
		if a.status != want {
			t.Fatalf("status %d: got %d %s", i, a.status, a.body)
		}
	}
}
