package request

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

const (
	valuesRoute = "/orgs/{org}/properties/values"
	repoRoute   = "/repos/{owner}/{repo}"
)

// propertyFleet is a manager with n further customers, whose organization defines properties.
type propertyFleet struct {
	*fixture.Setup
	repos []*hub.Repo
}

func newPropertyFleet(t *testing.T, n int) *propertyFleet {
	t.Helper()
	files := map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\nproperties: {}\n"}
	for i := range n {
		files[fmt.Sprintf("customers/c%02d.yml", i)] = fmt.Sprintf("repository: acme/r%02d\nrepository_id: %d\n", i, 5000+i)
	}
	f := &propertyFleet{Setup: fixture.New(t, files)}
	f.repos = []*hub.Repo{f.Customer}
	access := []string{fixture.CustomerSlug}
	for i := range n {
		name := fmt.Sprintf("r%02d", i)
		repo := fixture.Must(f.Hub.AddRepo("acme", name, hub.RepoOptions{ID: int64(5000 + i), Private: true}))(t)
		fixture.Check(t, repo.Grant("metapipe-bot", hub.Write))
		f.repos, access = append(f.repos, repo), append(access, "acme/"+name)
	}
	fixture.Check(t, f.Hub.AddOwner("acme", "metapipe-bot"))
	fixture.Check(t, f.Hub.DefineProperties("acme",
		hub.PropertyDefinition{Name: "infrastructure_tools", Type: hub.MultiSelect, Allowed: []string{"terraform", "network", "a,b"}},
		hub.PropertyDefinition{Name: "terraform_version", Type: hub.SingleSelect, Allowed: versions()},
		hub.PropertyDefinition{Name: "infrastructure_approval_required", Type: hub.TrueFalse},
		hub.PropertyDefinition{Name: "runbook", Type: hub.AddressProperty},
		hub.PropertyDefinition{Name: "team", Type: hub.TextProperty},
		hub.PropertyDefinition{Name: "tier", Type: hub.SingleSelect, Allowed: []string{"free", "paid"}, Required: true, Default: "free"},
	))
	for _, repo := range f.repos {
		repo.SetProperties(hub.Properties{})
	}
	f.Setenv("SOURCE_REPOS_PAT=" + f.Token(hub.Token{Name: "properties", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: access,
		Permissions: fixture.Permissions("metadata", "organization_custom_properties")}))
	return f
}

// versions are as many allowed values as GitHub takes.
func versions() []string {
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("1.%d", i))
	}
	return all
}

// shown are the properties of a repository as its definitions and choices make them.
func (f *propertyFleet) shown(repo *hub.Repo) string {
	f.T.Helper()
	return string(fixture.Must(json.Marshal(repo.Properties()))(f.T))
}

// set plays the command in a job of its own.
func (f *propertyFleet) set(exit int, args ...string) (fixture.Result, *fixture.Job) {
	f.T.Helper()
	j := f.DriftJob()
	return j.Do(exit, append([]string{"properties", "set"}, args...)...), j
}

func changeReport(t *testing.T, r fixture.Result) change.Report {
	t.Helper()
	var out change.Report
	_, text, _ := strings.Cut(r.Log, "\n{")
	fixture.Check(t, json.NewDecoder(strings.NewReader("{"+text)).Decode(&out))
	return out
}

// TestPropertiesSet: a plan writes nothing; applied, it is written, recorded and can be taken back.
func TestPropertiesSet(t *testing.T) {
	t.Parallel()
	f := newPropertyFleet(t, 0)
	f.Customer.SetProperties(hub.Properties{"team": "red", "infrastructure_tools": []string{"terraform"}})
	before := f.shown(f.Customer)
	args := []string{"--customer", "shop", "Infrastructure_Tools=network,terraform", "terraform_version=1.9", "runbook=https://wiki.example/a=b?c", "--unset", "team", "tier=free", "--reason", "ticket 5"}
	f.Hub.ResetCalls()
	r, _ := f.set(0, args...)
	r.Says(t, `["network","terraform"]`, "acme/shop", "nothing is written: --apply writes it", "ticket 5", "unchanged")
	if got := f.Writes(); len(got) > 0 || f.shown(f.Customer) != before {
		t.Errorf("the plan wrote %v", got)
	}
	r, j := f.set(0, append(args, "--apply", "--undo", "back.json")...)
	r.Says(t, "written", "to take it back: metapipe properties set --from")
	want := `{"infrastructure_tools":["network","terraform"],"runbook":"https://wiki.example/a=b?c","terraform_version":"1.9","tier":"free"}`
	if got := f.shown(f.Customer); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := f.Writes(); !slices.Equal(got, []string{"PATCH /orgs/acme/properties/values"}) {
		t.Errorf("%v", got)
	}
	f.DriftJob().Do(0, "ledger", "--customer", "shop").Says(t, `changing`, `team of acme/shop: "red" → null`, `changed`)
	r, _ = f.set(0, append(args, "--apply", "--json")...)
	if got := changeReport(t, r); got.Count(change.Same) != 5 || len(got.Rows) != 5 || got.Undo != "" || !got.Applied {
		t.Errorf("%+v", got)
	}
	undo := filepath.Join(j.Workspace(), "back.json")
	f.set(0, "--from", undo)
	f.set(0, "--from", undo, "--apply", "--max-changes", "1")
	if got := f.shown(f.Customer); got != before {
		t.Errorf("taken back: %s, want %s", got, before)
	}
	f.set(2, "--customer", "shop", "team=blue", "--apply", "--undo", undo)
	for _, exit := range []int{0, 0} { // the second time there is nothing left to take back
		f.set(exit, "--from", undo, "--apply")
	}
}

// TestPropertiesSetRefuses: what GitHub would refuse is refused before anything is written, in words
// that name the property and what it can be.
func TestPropertiesSetRefuses(t *testing.T) {
	t.Parallel()
	f := newPropertyFleet(t, 0)
	dir := t.TempDir()
	file := func(name, text string) string {
		fixture.Check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		return filepath.Join(dir, name)
	}
	row := func(id int, what, value string) string {
		return fmt.Sprintf(`{"version":1,"kind":"custom-property-values","rows":[{"place":{"id":%d,"name":"acme/shop"},"what":%q,"old":null,"new":%s}]}`, id, what, value)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"team=", "--unset team takes its value away"},
		{`team=a"b`, "no quotation mark"},
		{"team=ä", "printable ASCII only"},
		{"team=" + strings.Repeat("x", 1025), "1025 bytes long"},
		{"runbook=javascript:1", "begins with https:// or http://"},
		{"terraform_version=1.200", "and 188 more"},
		{"infrastructure_approval_required=True", "allowed are true, false"},
		{"infrastructure_tools=terraform,pulumi", `cannot be "pulumi": allowed are`},
		{"infrastructure_tools=terraform,", "has an empty item"},
		{"infrastructure_tools=terraform,terraform", "twice"},
		{`infrastructure_tools=["terraform",1]`, "is not a JSON list of texts"},
		{"infrastructure_tool=terraform", "did you mean infrastructure_tools?"},
		{"nothing=x", "acme defines no custom property nothing: it has infrastructure_approval_required"},
		{"team=x TEAM=y", "is given twice"},
		{"--unset tier", "is required, so it cannot be unset"},
		{"team", "is not NAME=VALUE"},
		{"te+am=x", "is not the name of a custom property"},
		{"--unset te+am", "is not the name of a custom property"},
		{"", "nothing is to be set"},
		{"team=x --all", "or all of them with --all"},
		{"team=x --max-changes -1", "is negative"},
		{"team=x --undo x", "--undo needs --apply"},
		{"team=x --from " + file("good", row(4711, "team", `"x"`)), "--from names repositories and values itself"},
	} {
		r, _ := f.set(2, append([]string{"--customer", "shop"}, strings.Fields(c.args)...)...)
		r.Says(t, c.want)
	}
	for name, want := range map[string]string{row(1, "team", `"x"`): "is the repository of no customer", row(4711, "team", `["x"]`): "whose values are a text", row(4711, "x", `"x"`): "defines no custom property",
		row(4711, "team", `5`): "is no value of a property", "{}": "is no plan of writes", strings.Replace(row(4711, "team", `"x"`), "values", "schema", 1): "is no plan of writes"} {
		r, _ := f.set(2, "--from", file("bad", name), "--apply")
		r.Says(t, want)
	}
	r, _ := f.set(2, "team=x")
	r.Says(t, "name the customers with --customer")
	if got := f.Writes(); len(got) > 0 {
		t.Errorf("written: %v", got)
	}
	f.Customer.SetProperties(json.RawMessage(`{"team": {"a": 1}}`))
	r, _ = f.set(2, "--customer", "shop", "team=x", "--apply")
	r.Says(t, "has a value that metapipe cannot read")
	f.Customer.SetProperties(json.RawMessage(`{"team": "x", "Team": "y"}`))
	r, _ = f.set(1, "--customer", "shop", "team=x", "--apply")
	r.Says(t, "are not known")
}

// TestPropertiesSetOfAPerson: their repositories have none.
func TestPropertiesSetOfAPerson(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"customers/own.yml": "repository: casey/own\nrepository_id: 99\n"})
	own := fixture.Must(w.Hub.AddRepo("casey", "own", hub.RepoOptions{ID: 99, Private: true}))(t)
	fixture.Check(t, own.Grant("metapipe-bot", hub.Write))
	w.LimitAccess("casey/own")
	r := w.DriftJob().Do(2, "properties", "set", "--customer", "own", "team=x", "--apply")
	r.Says(t, "casey/own belongs to a person, whose repositories have no custom properties")
}

// reads counts the calls to a route.
func (f *propertyFleet) reads(route string) (n int) {
	for _, c := range f.Hub.Calls() {
		if c.Route == route && !c.Write() {
			n++
		}
	}
	return n
}

// TestPropertiesSetMany: the guard, one call for each thirty repositories, and a repository that was
// renamed, which is written under its present name.
func TestPropertiesSetMany(t *testing.T) {
	t.Parallel()
	f := newPropertyFleet(t, 34)
	r, _ := f.set(0, "--all", "team=blue", "tier=paid")
	r.Says(t, "with --max-changes 35")
	r, _ = f.set(2, "--all", "team=blue", "tier=paid", "--apply")
	r.Says(t, "the plan changes 35 of 35", "add --max-changes 35")
	r, _ = f.set(2, "--all", "team=blue", "--apply", "--max-changes", "34")
	r.Says(t, "add --max-changes 35")
	if got := f.Writes(); len(got) > 0 {
		t.Errorf("written: %v", got)
	}
	fixture.Check(t, f.repos[7].Rename("moved"))
	f.Hub.ResetCalls()
	r, j := f.set(0, "--all", "team=blue", "tier=paid", "--apply", "--max-changes", "35", "--json", "--undo", "back.json")
	got := changeReport(t, r)
	if got.Count(change.Written) != 70 || !slices.Equal(got.Notes, []string{"acme/r06 was renamed: it is acme/moved now; change `repository` in customers/c06.yml"}) {
		t.Errorf("%d written, %q", got.Count(change.Written), got.Notes)
	}
	if n := len(f.Writes()); n != 2 {
		t.Errorf("%d writes", n)
	}
	if together, alone := f.reads("/graphql"), f.reads(repoRoute); together != 4 || alone != 0 {
		t.Errorf("%d queries and %d reads of single repositories before and after two writes", together, alone)
	}
	for i, repo := range f.repos {
		if got := f.shown(repo); got != `{"team":"blue","tier":"paid"}` {
			t.Errorf("%d: %s: %s", i, repo.Slug(), got)
		}
	}
	f.set(0, "--from", filepath.Join(j.Workspace(), "back.json"), "--apply", "--max-changes", "35")
	for _, repo := range f.repos {
		if got := f.shown(repo); got != `{"tier":"free"}` {
			t.Errorf("taken back: %s: %s", repo.Slug(), got)
		}
	}
}

// TestPropertiesSetFaults lets each call fail. What the command says is what is there, and the next
// run writes the rest.
func TestPropertiesSetFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, route string
		fault         hubtest.Fault
		exit          int
		says          string
		written       bool
	}{
		"403 of the definitions":   {"GET", "/orgs/{org}/properties/schema", hubtest.Fault{Status: 403, Message: "Resource not accessible"}, 1, "read the definitions of the custom properties of acme", false},
		"404 of the definitions":   {"GET", "/orgs/{org}/properties/schema", hubtest.Fault{Status: 404, Message: "Not Found"}, 1, "read the definitions", false},
		"500 of the definitions":   {"GET", "/orgs/{org}/properties/schema", hubtest.Fault{Status: 500, Message: "oops"}, 1, "read the definitions", false},
		"404 of the repository":    {"GET", repoRoute, hubtest.Fault{Status: 404, Message: "Not Found"}, 1, "customer shop", false},
		"403 of the write":         {"PATCH", valuesRoute, hubtest.Fault{Status: 403, Message: "Resource not accessible"}, 1, "it was not written", false},
		"404 of the write":         {"PATCH", valuesRoute, hubtest.Fault{Status: 404, Message: "Not Found"}, 1, "it was not written", false},
		"422 of the write":         {"PATCH", valuesRoute, hubtest.Fault{Status: 422, Message: "Validation Failed"}, 1, "it was not written", false},
		"500 of the write":         {"PATCH", valuesRoute, hubtest.Fault{Status: 500, Message: "oops"}, 1, "it was not written", false},
		"reset of the write":       {"PATCH", valuesRoute, hubtest.Fault{Reset: true}, 1, "it was not written", false},
		"lost answer of the write": {"PATCH", valuesRoute, hubtest.Fault{Reset: true, AfterEffect: true}, 0, "written", true},
		"500 after the effect":     {"PATCH", valuesRoute, hubtest.Fault{Status: 500, Message: "oops", AfterEffect: true}, 0, "written", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newPropertyFleet(t, 0)
			f.Hub.Fail(hubtest.Matcher{Method: c.method, Route: c.route}, c.fault, 100)
			r, _ := f.set(c.exit, "--customer", "shop", "team=blue", "tier=paid", "--apply")
			r.Says(t, c.says)
			if got := strings.Contains(f.shown(f.Customer), "blue"); got != c.written {
				t.Errorf("written: %v", got)
			}
			f.Hub.ClearFaults()
			f.set(0, "--customer", "shop", "team=blue", "tier=paid", "--apply")
			if got := f.shown(f.Customer); got != `{"team":"blue","tier":"paid"}` {
				t.Errorf("then: %s", got)
			}
			f.DriftJob().Do(0, "ledger", "--customer", "shop").Says(t, "changed")
		})
	}
}

// TestPropertiesSetAsApp: an App needs the permission for the organization alone, and its tokens can
// write only where something is applied.
func TestPropertiesSetAsApp(t *testing.T) {
	t.Parallel()
	f := newPropertyFleet(t, 4)
	access := []string{fixture.CustomerSlug}
	for _, repo := range f.repos[1:] {
		access = append(access, repo.Slug())
	}
	id, key, err := f.Hub.AddApp(hub.GitHubApp{Slug: "setter", Owner: "provider", Repositories: access, Permissions: fixture.Permissions("metadata", "organization_custom_properties")})
	fixture.Check(t, err)
	set := func(exit int, args ...string) fixture.Result {
		return asApp(f.DriftJob(), id, key).Do(exit, append([]string{"properties", "set", "--all", "team=blue"}, args...)...)
	}
	set(0).Says(t, "nothing is written")
	for _, token := range f.Hub.AppTokens("setter") {
		if token.Permissions["organization_custom_properties"] != "read" {
			t.Errorf("a token for the plan may do %v", token.Permissions)
		}
	}
	f.Hub.ResetCalls()
	set(0, "--apply", "--max-changes", "5").Says(t, "written")
	for _, repo := range f.repos {
		if got := f.shown(repo); got != `{"team":"blue","tier":"free"}` {
			t.Errorf("%s: %s", repo.Slug(), got)
		}
	}
}

// TestPropertiesSetRenamed: a repository that was renamed is found by its id, in a list and alone, for a
// plan and for the file that takes one back. The file of its customer is named.
func TestPropertiesSetRenamed(t *testing.T) {
	t.Parallel()
	for _, others := range []int{1, 4} {
		f := newPropertyFleet(t, others)
		_, j := f.set(0, "--all", "team=blue", "--apply", "--max-changes", "5", "--undo", "back.json")
		fixture.Check(t, f.repos[1].Rename("moved"))
		const note = "acme/r00 was renamed: it is acme/moved now; change `repository` in customers/c00.yml"
		r, _ := f.set(0, "--all", "team=green")
		r.Says(t, note)
		f.set(0, "--all", "team=green", "--apply", "--max-changes", "5")
		if got := f.shown(f.repos[1]); got != `{"team":"green","tier":"free"}` {
			t.Errorf("%s", got)
		}
		f.set(0, "--all", "team=blue", "--apply", "--max-changes", "5")
		undo := filepath.Join(j.Workspace(), "back.json")
		r, _ = f.set(0, "--from", undo)
		r.Says(t, note, "acme/moved")
		f.set(0, "--from", undo, "--apply", "--max-changes", "5")
		for _, repo := range f.repos {
			if got := f.shown(repo); got != `{"tier":"free"}` {
				t.Errorf("taken back: %s: %s", repo.Slug(), got)
			}
		}
	}
}

// TestPropertiesSetTransferred: values of one organization are not written in another one. A file takes
// back the others.
func TestPropertiesSetTransferred(t *testing.T) {
	t.Parallel()
	for _, others := range []int{1, 4} {
		f := newPropertyFleet(t, others)
		_, j := f.set(0, "--all", "team=blue", "--apply", "--max-changes", "5", "--undo", "back.json")
		fixture.Must(f.Hub.AddUser(hub.User{Login: "globex", Type: hub.Organization}))(t)
		fixture.Check(t, f.repos[1].Transfer("globex"))
		r, _ := f.set(2, "--all", "team=green", "--apply", "--max-changes", "5")
		r.Says(t, "acme/r00 was transferred: it is globex/r00 now", "make sure that the new owner may deploy, then change `repository` in customers/c00.yml")
		undo := filepath.Join(j.Workspace(), "back.json")
		r, _ = f.set(0, "--from", undo)
		r.Says(t, "acme/r00 was transferred: it is globex/r00 now, and its values will be refused")
		r, _ = f.set(4, "--from", undo, "--apply", "--max-changes", "5")
		r.Says(t, "make sure that the new owner may deploy, change `repository` in customers/c00.yml, and make a new plan: this one is for the former owner")
		for i, repo := range f.repos {
			if want := map[bool]string{true: `"blue"`, false: `{"tier":"free"}`}[i == 1]; !strings.Contains(f.shown(repo), want) {
				t.Errorf("taken back: %s: %s", repo.Slug(), f.shown(repo))
			}
		}
	}
}
