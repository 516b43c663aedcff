package rehearsal

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// needsNetwork puts out what hosts is built from, with a secret among it.
const needsNetwork = `
variable "size" { type = number }
resource "terraform_data" "net" { input = "net-${var.size}" }
output "cidr" { value = "10.0.0.0/16" }
output "net_id" { value = terraform_data.net.output }
output "token" {
  value     = "hush-hush-token"
  sensitive = true
}
`

const needsHosts = `
variable "size" { type = number }
variable "network" {
  type = object({ cidr = string, net_id = string, token = string })
}
locals { region = var.network.net_id }
resource "terraform_data" "host" {
  input = { where = local.region, cidr = var.network.cidr, size = var.size, token = var.network.token }
}
output "host" {
  value     = terraform_data.host.output.where
  sensitive = true
}
`

// TestRehearsalOfNeeds: a stack reads the outputs of another one. In a pull request they are
// not known while that one is only planned, and it says so; in a merge they are.
func TestRehearsalOfNeeds(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	o.ManagerDir = tree(t, map[string]string{"network/main.tf": needsNetwork, "hosts/main.tf": needsHosts,
		"metapipe.yml": "customer_variables: [\"*\"]\nenvironments: [{name: dev}, {name: live, gated: true}]\nstacks: [{name: network, root: network}, {name: hosts, root: hosts, needs: [network]}]\n"})
	o.Proposal = filepath.Join(tree(t, map[string]string{"p.yml": strings.ReplaceAll(tinyVariables, "size: 2", "size: 3")}), "p.yml")
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Where you are today: ok", "Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok")
	if !r.OK() || len(r.Pending) > 0 || !r.Report.OK {
		t.Errorf("not as it should be: %+v\n%s", r.Pending, terminal.String())
	}
	const waits = "local.region depends on the output net_id of network that is not known yet"
	wantPart(t, terminal.String(), "not known yet: it depends on outputs of another stack")
	wantPart(t, terminal.String(), "(hosts/main.tf:6)")
	deferred := read(t, r.Out, "manager", "summaries", "run-2-live-hosts-report.md")
	for _, part := range []string{"Not known yet", "local.region depends on the output `net_id` of network that is not known yet"} {
		wantPart(t, deferred, part)
	}
	statuses := everyFile(t, filepath.Join(r.Out, "customer", "statuses"))
	for _, part := range []string{"Plan for live/network: 1 to change; not known yet: live/hosts", "Not known yet: " + waits} {
		wantPart(t, statuses, part)
	}
	merged := read(t, r.Out, "manager", "summaries", "run-3-live-hosts-report.md")
	for _, part := range []string{"terraform_data.host", "(sensitive value)"} {
		wantPart(t, merged, part)
	}
	deployments := read(t, r.Out, "customer", "deployments.json")
	for _, part := range []string{`"infra/live/network"`, `"infra/live/hosts"`, `"net_id"`} {
		wantPart(t, deployments, part)
	}
	if all := everyFile(t, r.Out) + terminal.String(); strings.Contains(all, "hush-hush") {
		t.Error("a sensitive output got out")
	}
}
