package request

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestRedactionSummary: a customer whose file says `redaction: summary` is told
// which resources change, and no value of theirs, in any place; the outputs of
// the apply come all the same. A plan that fails says so without the tool's words.
func TestRedactionSummary(t *testing.T) {
	t.Parallel()
	const variables = "name: shop\nenvironments:\n  staging: {}\n"
	for _, level := range []string{"values", "summary"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, map[string]string{
				"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "redaction: " + level + "\n",
				"terraform/main.tf": fixture.ManagerFiles["terraform/main.tf"] + `
resource "terraform_data" "inner" { input = "vpc-0internal1" }
resource "terraform_data" "broken" {
  count = var.config.name == "broken" ? 1 : 0
  input = tonumber("subnet-0internal2-${var.config.name}")
}
`})
			run, _ := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": variables})
			r := w.Accept(run)
			r.Do(0, "plan", "staging").Want(t, "outcome=planned")
			printed := r.Report("--final", "--json")

			pushed := w.Push("main", map[string]string{"infra/variables.yml": variables})
			applied := w.Accept(pushed)
			applied.Planned("staging")
			applied.Do(0, "apply", "staging").Want(t, "outcome=applied")
			end := applied.Report("--final")

			broken := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": strings.Replace(variables, "shop", "broken", 1)}))
			failed := broken.Do(1, "plan", "staging")
			failed.Says(t, "subnet-0internal2") // in the log of the manager
			last := broken.Report("--final", "--json")

			seen := printed.Log + printed.Summary + end.Summary + last.Log + last.Summary + string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t))
			for _, internal := range []string{"vpc-0internal1", "subnet-0internal2"} {
				if got := strings.Contains(seen, internal); got != (level == "values") {
					t.Errorf("%s shown: %v", internal, got)
				}
			}
			for _, shown := range []string{"terraform_data.inner", "shop in staging"} {
				if !strings.Contains(seen, shown) {
					t.Errorf("%s is not shown", shown)
				}
			}
		})
	}
}
