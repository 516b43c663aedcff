package properties_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

// propertiesHub answers with the properties of each repository, by its id.
type propertiesHub struct {
	values map[int64]string // custom_properties
	people map[string]bool
	denied error
	old    bool // the server cannot be asked for many repositories
	calls  int
}

// RepositoriesProperties counts a call for each 100 repositories, as the client sends them.
func (h *propertiesHub) RepositoriesProperties(_ context.Context, repos []pipeline.Slug) []pipeline.RepositoryAnswer {
	h.calls += (len(repos) + 99) / 100
	answers := make([]pipeline.RepositoryAnswer, len(repos))
	for i, repo := range repos {
		if h.old {
			answers[i].Err = fmt.Errorf("no such field: %w", errors.ErrUnsupported)
			continue
		}
		calls := h.calls
		found, p, err := h.RepositoryProperties(context.Background(), repo)
		h.calls = calls
		answers[i] = pipeline.RepositoryAnswer{Repository: found, Properties: p, Err: errors.Join(h.denied, err)}
	}
	return answers
}

func (h *propertiesHub) RepositoryProperties(_ context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error) {
	h.calls++
	var id int64
	if _, err := fmt.Sscanf(repo.Name, "r%d", &id); err != nil {
		return pipeline.Repository{}, pipeline.Properties{}, pipeline.ErrNotFound
	}
	p, _ := pipeline.ParseProperties(json.RawMessage(h.values[id]))
	return pipeline.Repository{Slug: repo, ID: id}, p, nil
}

func (h *propertiesHub) OrganizationProperties(_ context.Context, organization string) (map[int64]pipeline.RepositoryAnswer, error) {
	h.calls++
	if h.people[organization] {
		return nil, pipeline.ErrNotFound
	}
	all := map[int64]pipeline.RepositoryAnswer{}
	for id, raw := range h.values {
		p, _ := pipeline.ParseProperties(json.RawMessage(raw))
		all[id] = pipeline.RepositoryAnswer{Repository: pipeline.Repository{Slug: pipeline.Slug{Owner: organization, Name: fmt.Sprintf("r%d", id)}, ID: id}, Properties: p}
	}
	return all, h.denied
}

func propertyCustomers(owner string, n int) []pipeline.Customer {
	var all []pipeline.Customer
	for i := 1; i <= n; i++ {
		c := pipeline.Customer{Name: pipeline.CustomerName(fmt.Sprintf("c%d", i)), Repository: pipeline.Slug{Owner: owner, Name: fmt.Sprintf("r%d", i)}, RepositoryID: int64(i), File: "customers/c.yml"}
		rules := pipeline.DefaultPropertyRules()
		c.Manager = pipeline.Manager{Tool: pipeline.ToolRule{Name: "terraform"}, Properties: &rules,
			Environments: []pipeline.EnvironmentRule{{Name: "staging"}, {Name: "production", Gated: true}},
			Stacks:       []pipeline.StackRule{{Name: "network", Tool: pipeline.ToolRule{Name: "terraform"}}, {Name: "dns", Tool: pipeline.ToolRule{Name: "terraform"}}}}
		all = append(all, c)
	}
	return all
}

// TestPropertyEffects: each property is shown with where it comes from and what it changes.
func TestPropertyEffects(t *testing.T) {
	t.Parallel()
	overlap := func(a, b string) bool { return true }
	for name, c := range map[string]struct {
		raw  string
		edit func(*pipeline.Customer)
		want string // name origin effect; …; problems
	}{
		"nothing is set": {`{}`, nil, "tools unset none; version unset none; approval unset none; auto_deploy unset none; region unset none; content unset none"},
		"all narrow": {`{"infrastructure_tools": ["dns"], "terraform_version": "1.9", "infrastructure_approval_required": "true", "region_restriction": "eu-only"}`, nil,
			"tools github leaves out network; version github terraform ~> 1.9.0; approval github adds a gate on staging; auto_deploy unset none; region github allows regions eu-*, europe-*; content unset none"},
		"none narrows": {`{"infrastructure_tools": ["terraform"], "terraform_version": "latest", "infrastructure_approval_required": "false", "region_restriction": "global", "repo_content_type": ["app", "infra"]}`, nil,
			"tools github none; version github none; approval github none; auto_deploy unset none; region github none; content github none"},
		"no tools": {`{"infrastructure_tools": []}`, nil, "tools github deploys nothing; version unset none; approval unset none; auto_deploy unset none; region unset none; content unset none"},
		"only an application": {`{"infrastructure_tools": ["dns"], "repo_content_type": "app"}`, nil,
			"tools github none; version unset none; approval unset none; auto_deploy unset none; region unset none; content github deploys nothing"},
		"default of the manager": {`{}`, func(c *pipeline.Customer) { c.Manager.Properties.DefaultTools = []string{"dns"} },
			"tools metapipe.yml leaves out network; version unset none; approval unset none; auto_deploy unset none; region unset none; content unset none"},
		"each environment has a gate": {`{"infrastructure_approval_required": "true"}`, func(c *pipeline.Customer) { c.Manager.Environments[0].Gated = true },
			"tools unset none; version unset none; approval github none; auto_deploy unset none; region unset none; content unset none"},
		"pushes are only planned": {`{"spacelift_auto_deploy": "false"}`, nil, "tools unset none; version unset none; approval unset none; auto_deploy github pushes are only planned on staging, production; region unset none; content unset none"},
		"pushes need the property": {`{}`, func(c *pipeline.Customer) { c.Manager.Environments[1].AutoDeploy = pipeline.AutoDeployAllowed },
			"tools unset none; version unset none; approval unset none; auto_deploy unset pushes are only planned on production; region unset none; content unset none"},
		"pushes have the property": {`{"spacelift_auto_deploy": "true"}`, func(c *pipeline.Customer) { c.Manager.Environments[1].AutoDeploy = pipeline.AutoDeployAllowed },
			"tools unset none; version unset none; approval unset none; auto_deploy github pushes are applied on production; region unset none; content unset none"},
		"information": {`{"customer_tier": "enterprise", "team_owner": ["x"]}`, nil,
			"tools unset none; version unset none; approval unset none; auto_deploy unset none; region unset none; content unset none; tier github information; team github information"},
		"rejected": {`{"infrastructure_tools": ["pulumi"], "region_restriction": "mars"}`, nil,
			"tools github rejected; version unset none until the others are corrected; approval unset none until the others are corrected; auto_deploy unset none until the others are corrected; region github rejected; content unset none until the others are corrected; " +
				`property infrastructure_tools: "pulumi" is not offered to this customer; remove it from the property (offered are: dns, network, terraform), or ask your service provider; ` +
				`property region_restriction: "mars" is not a known restriction; use one of: apac-only, eu-only, global, us-only`},
		"unreadable":            {`null`, nil, "custom properties: GitHub's answer holds no custom properties that can be read, and nothing is inferred from that; run this again; if it stays so, ask your service provider"},
		"metapipe.yml has none": {`{"infrastructure_tools": []}`, func(c *pipeline.Customer) { c.Manager.Properties = nil }, ""},
	} {
		customer := propertyCustomers("acme", 1)[0]
		if c.edit != nil {
			c.edit(&customer)
		}
		got := properties.Show(t.Context(), &propertiesHub{values: map[int64]string{1: c.raw}}, []pipeline.Customer{customer}, overlap, false)[0]
		var words []string
		for _, p := range got.Properties {
			words = append(words, fmt.Sprintf("%s %s %s", p.Meaning, p.Origin, p.Effect))
		}
		if text := strings.Join(append(words, got.Problems...), "; "); text != c.want || got.Unread != "" {
			t.Errorf("%s: %q %q\nwant %q", name, text, got.Unread, c.want)
		}
	}
}

// TestPropertiesOfAFleet: many repositories of an organization cost few calls, and what cannot be
// read is not known.
func TestPropertiesOfAFleet(t *testing.T) {
	t.Parallel()
	overlap := func(a, b string) bool { return true }
	values := map[int64]string{}
	for i := range int64(1000) {
		values[i+1] = `{"infrastructure_tools": ["dns"]}`
	}
	unread := func(all []properties.CustomerProperties) (n int) {
		for _, c := range all {
			if c.Unread != "" {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name          string
		hub           propertiesHub
		owner         string
		n             int
		alone         bool
		unread, calls int
	}{
		{"a thousand", propertiesHub{}, "acme", 1000, false, 0, 10},
		{"one", propertiesHub{}, "acme", 1, false, 0, 1},
		{"an App", propertiesHub{}, "acme", 5, true, 0, 5},
		{"no permission", propertiesHub{denied: errors.New("no permission")}, "acme", 5, false, 5, 1},
		{"an old server", propertiesHub{old: true}, "acme", 1000, false, 0, 10 + 1},
		{"an old server, few", propertiesHub{old: true}, "acme", 3, false, 0, 1 + 3},
		{"an old server, a person", propertiesHub{old: true, people: map[string]bool{"kim": true}}, "kim", 5, false, 0, 1 + 1 + 5},
		{"an old server, no permission", propertiesHub{old: true, denied: errors.New("no permission")}, "acme", 5, false, 5, 1 + 1},
	} {
		h := c.hub
		h.values = values
		all := properties.Show(t.Context(), &h, propertyCustomers(c.owner, c.n), overlap, c.alone)
		if unread(all) != c.unread || h.calls != c.calls {
			t.Errorf("%s: %d calls, %d unread, want %d, %d", c.name, h.calls, unread(all), c.calls, c.unread)
		}
		if last := all[c.n-1]; c.unread == 0 && last.Properties[0].Effect != "leaves out network" || c.unread > 0 && !strings.Contains(last.Unread, "no permission") {
			t.Errorf("%s: %+v", c.name, last)
		}
	}
	for _, n := range []int{1, 2} {
		replaced := propertyCustomers("acme", n)
		replaced[0].RepositoryID = 7
		if all := properties.Show(t.Context(), &propertiesHub{values: values}, replaced, overlap, false); !strings.Contains(all[0].Unread, "the repository was replaced") {
			t.Errorf("%+v", all)
		}
	}
	mixed := propertyCustomers("acme", 3)
	mixed[1].Repository.Name, mixed[2].Manager.Properties = "gone", nil
	h := &propertiesHub{values: values}
	if all := properties.Show(t.Context(), h, mixed, overlap, false); h.calls != 1 || all[0].Unread != "" || !strings.Contains(all[1].Unread, "not found") || all[2].Unread != "" || len(all[2].Properties) > 0 {
		t.Errorf("%d calls, %+v", h.calls, all)
	}
}

// TestRepositoriesMove: the present name of a repository is shown, and that it is archived.
func TestRepositoriesMove(t *testing.T) {
	t.Parallel()
	customers := propertyCustomers("acme", 2)
	h := movedHub{propertiesHub{values: map[int64]string{}}}
	all := properties.Show(t.Context(), &h, customers, func(a, b string) bool { return true }, false)
	if all[0].Renamed != "acme/new" || !all[0].Archived || all[1].Renamed != "" || all[1].Archived {
		t.Errorf("%+v", all)
	}
}

// movedHub has the repository r1 under another name.
type movedHub struct{ propertiesHub }

func (h *movedHub) RepositoriesProperties(ctx context.Context, repos []pipeline.Slug) []pipeline.RepositoryAnswer {
	answers := h.propertiesHub.RepositoriesProperties(ctx, repos)
	answers[0].Name, answers[0].Archived = "new", true
	return answers
}
