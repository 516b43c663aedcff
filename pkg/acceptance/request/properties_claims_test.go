package request

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestPropertiesInTheIDToken: with claims in metapipe.yml, a request is accepted only where the
// organization includes the properties in its ID tokens.
func TestPropertiesInTheIDToken(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "properties: {use: [tools, approval], claims: true}\n"})
	w.Customer.SetProperties(hub.Properties{"infrastructure_tools": []string{"terraform"}, "infrastructure_approval_required": "true"})
	file := func(text string) fixture.WorkflowRun {
		return w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ntext: " + text + "\nenvironments:\n  staging: {}\n"})
	}
	w.Hub.IncludeProperty("acme", "infrastructure_tools")
	_, fetched := w.Ask(file("one"), 3)
	fetched.Want(t, "outcome=rejected", "reason=properties")
	fetched.Says(t, "property infrastructure_approval_required", "the ID token of the run does not have the property")
	w.Hub.IncludeProperty("acme", "Infrastructure_Approval_Required")
	_, fetched = w.Ask(file("two"), 0)
	fetched.Want(t, "outcome=requested")
}
