package main

import (
	"encoding/json"
	"strings"
	"testing"
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
			w := newWorld(t, map[string]string{
				"customers/shop.yml": managerFiles["customers/shop.yml"] + "redaction: " + level + "\n",
				"terraform/main.tf": managerFiles["terraform/main.tf"] + `
resource "terraform_data" "inner" { input = "vpc-0internal1" }
resource "terraform_data" "broken" {
  count = var.config.name == "broken" ? 1 : 0
  input = tonumber("subnet-0internal2-${var.config.name}")
}
`})
			run, _ := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variables})
			r := w.accept(run)
			r.do(0, "plan", "staging").want(t, "outcome=planned")
			printed := r.report("--final", "--json")

			pushed := w.push("main", map[string]string{"infra/variables.yml": variables})
			applied := w.accept(pushed)
			applied.planned("staging")
			applied.do(0, "apply", "staging").want(t, "outcome=applied")
			end := applied.report("--final")

			broken := w.accept(w.push("main", map[string]string{"infra/variables.yml": strings.Replace(variables, "shop", "broken", 1)}))
			failed := broken.do(1, "plan", "staging")
			failed.says(t, "subnet-0internal2") // in the log of the manager
			last := broken.report("--final", "--json")

			seen := printed.log + printed.summary + end.summary + last.log + last.summary + string(must(json.Marshal(w.customer.Snapshot()))(t))
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
