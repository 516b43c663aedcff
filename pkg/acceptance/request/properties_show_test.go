package request

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestPropertiesShow prints what the custom properties of a customer's repository do.
func TestPropertiesShow(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\n  - {name: production, branches: [main], gated: true}\nproperties: {}\n"})
	show := func(exit int, more ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, append([]string{"properties", "show"}, more...)...)
	}
	w.Customer.SetProperties(json.RawMessage(`{"infrastructure_tools": ["terraform"], "infrastructure_approval_required": "true", "terraform_version": null}`))
	show(0).Says(t, "shop (acme/shop)", "infrastructure_tools", "infrastructure_approval_required", "adds a gate on staging", "terraform_version", "unset")

	var printed []properties.CustomerProperties
	_, list, _ := strings.Cut(show(0, "--customer", "shop", "--json").Log, "\n[") // after the masks
	fixture.Check(t, json.NewDecoder(strings.NewReader("["+list)).Decode(&printed))
	if len(printed) != 1 || len(printed[0].Properties) != 6 || printed[0].Properties[2].Effect != "adds a gate on staging" || len(printed[0].Problems) != 0 {
		t.Errorf("%+v", printed)
	}
	w.Customer.SetProperties(json.RawMessage(`{"infrastructure_tools": ["pulumi"]}`))
	show(0).Says(t, "the next request will be rejected: property infrastructure_tools", "is not offered to this customer", "terraform")
	w.Customer.SetProperties(json.RawMessage(`{"infrastructure_tools": "\u001b[2J::stop-commands::x"}`))
	if got := show(0); strings.Contains(got.Log, "\x1b[2J") || strings.Contains(got.Log, "\n::stop-commands") {
		t.Errorf("a value reaches the terminal: %q", got.Log)
	}
	none := w.DriftJob()
	fixture.Check(t, os.WriteFile(filepath.Join(none.Workspace(), "metapipe.yml"), []byte("environments:\n  - {name: staging, branches: [main]}\n"), 0o600))
	none.With("SOURCE_REPOS_PAT=").Do(0, "properties", "show").Says(t, "shop (acme/shop)", "metapipe.yml has no `properties`")
	w.LimitAccess("provider/infra")
	show(1).Says(t, "✗ not known", "the properties of 1 of 1 customers could not be read")
	show(2, "--customer", "shpo").Says(t, "one of shop")
}

// TestPropertiesShowAll reads the repositories of several customers, organizations and
// people with one call that changes nothing.
func TestPropertiesShowAll(t *testing.T) {
	t.Parallel()
	files := map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\nproperties: {}\n"}
	for i, slug := range []string{"beta/dept", "kim/own", "beta/gone", "beta/hidden"} {
		_, name, _ := strings.Cut(slug, "/")
		files["customers/"+name+".yml"] = fmt.Sprintf("repository: %s\nrepository_id: %d\n", slug, 5000+i)
	}
	w := fixture.New(t, files)
	for _, u := range []hub.User{{Login: "beta", Type: hub.Organization}, {Login: "kim"}} {
		fixture.Must(w.Hub.AddUser(u))(t)
	}
	add := func(slug string, id int64, properties string) *hub.Repo {
		owner, name, _ := strings.Cut(slug, "/")
		repo := fixture.Must(w.Hub.AddRepo(owner, name, hub.RepoOptions{ID: id, Private: true}))(t)
		repo.SetProperties(json.RawMessage(properties))
		fixture.Check(t, repo.Grant("metapipe-bot", hub.Write))
		return repo
	}
	add("beta/dept", 5000, `{"infrastructure_tools": []}`)
	fixture.Check(t, add("kim/own", 5001, `null`).Rename("house"))
	add("beta/gone", 7, `{}`).Archive(true)
	add("beta/hidden", 5003, `{}`)
	w.Customer.SetProperties(json.RawMessage(`{"terraform_version": "1.9"}`))
	w.LimitAccess("acme/shop", "beta/dept", "kim/house", "beta/gone")
	w.Hub.ResetCalls()
	w.DriftJob().Do(1, "properties", "show").Says(t, "deploys nothing", "own (kim/own, now kim/house)", "terraform ~> 1.9.0",
		"beta/gone has id 7, and customers/gone.yml says 5002", "hidden (beta/hidden)", "Could not resolve to a Repository", "2 of 5 customers could not be read")
	calls := w.Hub.Calls()
	if len(calls) != 1 || calls[0].Route != "/graphql" || calls[0].Write() {
		t.Errorf("%+v", calls)
	}
}
