package rehearsal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// An environment that the proposal removes is still one of the manager's.
func TestDefaultManagerKnowsWhatIsRemoved(t *testing.T) {
	t.Parallel()
	f := defaultManager([]byte("environments: {dev: 1, live: 1}"), []byte("environments: {dev: 1, old: 1, live: 1}"))
	if got := strings.Join(declaredOr(f.Content), " "); got != "dev live old" {
		t.Errorf("got %s", got)
	}
}

// A manager without a metapipe.yml gets one that config accepts.
func TestDefaultManager(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"":                                    "staging production!",
		"environments: {requests: 1, dev: 1}": "dev!",
		"environments: [x]":                   "staging production!",
		"environments: {production: 1, staging: 1}":   "staging production!",
		"environments: {dev: 1, live: 1}":             "dev live!",
		"environments: {prod: 1, dev: 1, qa: 1}":      "dev qa prod!",
		"environments: {on: 1, 'no such': 1, '1': 2}": "on 1!",
		"environments: {only: 1}":                     "only!",
	} {
		f := defaultManager([]byte(file))
		dir := tree(t, map[string]string{config.ManagerFile: string(f.Content)})
		c, problems := config.Load(dir)
		must(t, problems.Err())
		var got []string
		for _, e := range c.Manager.Environments {
			name := string(e.Name)
			if e.Gated {
				name += "!"
			}
			got = append(got, name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %v, want %s", file, got, want)
		}
	}
}

func TestUnregisteredCustomer(t *testing.T) {
	t.Parallel()
	m := config.Default()
	atTop := tree(t, map[string]string{"main.tf": "", "modules/a/main.tf": ""})
	c := unregistered(m, atTop, "/work/My Shop", pipeline.Slug{})
	if c.Name != "my-shop" || c.Root != "." || c.Repository.String() != "customer/my-shop" {
		t.Errorf("got %+v", c)
	}
	below := tree(t, map[string]string{"main.tf": "", "terraform/main.tf": ""})
	c = unregistered(m, below, "/work/shop", pipeline.Slug{Owner: "acme", Name: "site"})
	if c.Root != "terraform" || c.Repository.String() != "acme/site" {
		t.Errorf("got %+v", c)
	}
	name, f := customerFile(c, 7)
	dir := tree(t, map[string]string{config.ManagerFile: "environments: [{name: a}]\n", name: string(f.Content), "terraform/main.tf": ""})
	registry, problems := config.Load(dir)
	must(t, problems.Err())
	if len(registry.Customers) != 1 || registry.Customers[0].RepositoryID != 7 {
		t.Errorf("got %+v", registry.Customers)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	a := pipeline.Customer{Name: "a", Repository: pipeline.Slug{Owner: "o", Name: "x"}}
	b := pipeline.Customer{Name: "b", Repository: pipeline.Slug{Owner: "o", Name: "y"}}
	both := []pipeline.Customer{a, b}
	for name, c := range map[string]struct {
		customers []pipeline.Customer
		name      string
		remote    string
		dir       string
		want      string // "-": none is registered; "!": a mistake
	}{
		"by name":       {both, "b", "o/x", "/a", "b"},
		"unknown name":  {both, "c", "o/x", "/a", "!"},
		"by remote":     {both, "", "O/Y", "/a", "b"},
		"by directory":  {both, "", "", "/work/b", "b"},
		"the only one":  {both[:1], "", "", "/work/other", "a"},
		"unclear":       {both, "", "", "/work/other", "!"},
		"nobody at all": {nil, "", "", "/work/other", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var remote pipeline.Slug
			if c.remote != "" {
				var err error
				remote, err = pipeline.ParseSlug(c.remote)
				must(t, err)
			}
			m, err := choose(config.Config{Customers: c.customers}, config.Checkout{Dir: c.dir, Remote: remote, Name: c.name})
			got, found := m.Customer, m.Found
			switch {
			case c.want == "!":
				if err == nil {
					t.Errorf("got %s and no error", got.Name)
				}
			case err != nil:
				t.Error(err)
			case found != (c.want != "-") || found && string(got.Name) != c.want:
				t.Errorf("got %s, %v", got.Name, found)
			}
		})
	}
}

func TestDeployBranch(t *testing.T) {
	t.Parallel()
	for want, rules := range map[string][][]string{
		"main":    {nil, {"main", "release/*"}},
		"master":  {{"master"}, nil},
		"trunk":   {{"trunk"}, {"trunk"}},
		"develop": {{"develop"}, {"develop", "m*"}},
	} {
		var c pipeline.Customer
		for _, branches := range rules {
			c.Manager.Environments = append(c.Manager.Environments, pipeline.EnvironmentRule{Branches: branches})
		}
		if got := deployBranch(c); got != want {
			t.Errorf("%v: got %s, want %s", rules, got, want)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	from := "a\nb\nc\nd\ne\nf\ng\nh\n"
	to := "a\nb\nc\nd\ne\nf\nG\nh\ni\n"
	want := "@@\n d\n e\n f\n-g\n+G\n h\n+i\n"
	if d := cmp.Diff(want, diff([]byte(from), []byte(to))); d != "" {
		t.Error(d)
	}
	if got := diff(nil, []byte("a\n")); got != "+a\n" {
		t.Errorf("got %q", got)
	}
}
