package request

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// dryToken is a sensitive output of a needed stack.
const dryToken = "open-sesame-of-network"

// dryFiles are a manager with three stacks in a row. Of each root the size of its name can be
// set, which changes what it puts out.
func dryFiles() map[string]string {
	return map[string]string{
		"metapipe.yml": `
environments: [{name: staging}]
customer_variables: ["*"]
stacks:
  - {name: network, root: network}
  - {name: hosts, root: hosts, needs: [network]}
  - {name: apps, root: apps, needs: [hosts]}
`,
		"network/main.tf": `
variable "nets" { type = number }
resource "terraform_data" "n" { input = "net-${var.nets}" }
output "id" { value = terraform_data.n.output }
output "region" { value = "region-1" }
output "token" {
  value     = "` + dryToken + `"
  sensitive = true
}
`,
		"hosts/main.tf": `
variable "machines" { type = number }
variable "network" { type = object({ id = string, token = string }) }
resource "terraform_data" "h" { input = { machines = var.machines, id = var.network.id } }
resource "terraform_data" "t" { input = "with ${var.network.token}" }
output "name" {
  value     = "${var.machines} hosts in ${var.network.id}"
  sensitive = true
}
`,
		"apps/main.tf": `
variable "hosts" { type = object({ name = string }) }
resource "terraform_data" "a" { input = var.hosts.name }
`,
	}
}

// dryVariables are variables.yml of a customer.
func dryVariables(nets, machines string) string {
	return fmt.Sprintf("nets: %s\nmachines: %s\nenvironments:\n  staging: {}\n", nets, machines)
}

// dryRuns plays dry runs of one setup.
type dryRuns struct {
	*fixture.Setup
	checkout string
}

// run plans a stack of a checkout with those variables, and wants that nothing is written.
func (d dryRuns) run(exit int, stack, variables string, flags ...string) fixture.Result {
	d.T.Helper()
	fixture.Check(d.T, os.WriteFile(filepath.Join(d.checkout, "infra", "variables.yml"), []byte(variables), 0o600))
	before, job := d.stored(), d.DriftJob()
	r := job.Do(exit, append([]string{"plan", "--customer", "shop", "--environment", "staging", "--stack", stack, "--customer-dir", d.checkout}, flags...)...)
	if after := d.stored(); !maps.Equal(before, after) {
		d.T.Errorf("a dry run of %s has changed the store: %d objects before, %d after", stack, len(before), len(after))
	}
	if strings.Contains(r.Log+r.Summary, dryToken) {
		d.T.Errorf("the token is shown:\n%s", r.Log)
	}
	fixture.Check(d.T, filepath.WalkDir(job.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(path, ".tfstate") || strings.HasSuffix(path, ".tfvars.json") || strings.HasSuffix(path, "plan.json")) {
			d.T.Errorf("%s is left", path)
		}
		return err
	}))
	return r
}

// stored is the content of the store, by path.
func (d dryRuns) stored() map[string]string {
	d.T.Helper()
	files := map[string]string{}
	fixture.Check(d.T, filepath.WalkDir(d.Store, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}))
	return files
}

// TestDryRunOfNeeds: without the real states the outputs of other stacks are not known, and a
// dry run says so. With them it plans each needed stack first, in memory of nothing.
func TestDryRunOfNeeds(t *testing.T) {
	t.Parallel()
	d := dryRuns{fixture.New(t, dryFiles()), t.TempDir()}
	fixture.Check(t, os.MkdirAll(filepath.Join(d.checkout, "infra"), 0o700))
	fixture.Check(t, os.MkdirAll(d.Store, 0o700))
	const deferred = "Not known yet"
	first := dryVariables("1", "2")
	d.run(0, "network", first).Says(t, "Planned", "1 to add")
	d.run(0, "hosts", first).Says(t, deferred, "depends on the output id of network that is not known yet", "the state of staging/network is read with --state only")
	d.run(0, "hosts", first, "--state").Says(t, deferred, "depends on the output id of network that is not known yet")
	d.run(0, "apps", first, "--state").Says(t, deferred, "staging/hosts itself depends on outputs that are not known yet")

	r := d.Accept(d.Push("main", map[string]string{"infra/variables.yml": first}))
	for _, target := range []string{"staging/network", "staging/hosts", "staging/apps"} {
		r.Do(0, "apply", target, "--receipt", r.Planned(target).Outputs["receipt"])
	}
	r.Report("--final")
	for _, stack := range []string{"network", "hosts", "apps"} {
		d.run(0, stack, first, "--state").Says(t, "No changes")
	}
	d.run(0, "hosts", first).Says(t, deferred) // a scratch state says nothing about another stack
	hosts := dryVariables("1", "3")
	d.run(0, "hosts", hosts, "--state").Says(t, "Planned", "1 to change")
	d.run(0, "apps", hosts, "--state").Says(t, deferred, "depends on the output name of hosts that is not known yet")
	nets := dryVariables("2", "2")
	d.run(0, "hosts", nets, "--state").Says(t, deferred, "depends on the output id of network that is not known yet")
	d.run(0, "apps", nets, "--state").Says(t, deferred, "staging/hosts itself depends on outputs that are not known yet")

	d.run(1, "hosts", dryVariables("many", "2"), "--state").Says(t, "plan shop/staging/network, whose outputs staging/hosts needs", "a number is required")
	file, whole := d.StateFile("shop/staging.network"), d.State("shop/staging.network")
	fixture.Check(t, os.WriteFile(file, []byte(whole[:len(whole)/2]), 0o600))
	d.run(4, "hosts", first, "--state").Says(t, "shop/staging/network", "metapipe state restore --customer shop --environment staging --stack network")
	older := regexp.MustCompile(`"serial": \d+`).ReplaceAllString(whole, `"serial": 0`)
	fixture.Check(t, os.WriteFile(file, []byte(strings.ReplaceAll(older, "net-1", "net-0")), 0o600))
	d.run(4, "hosts", first, "--state").Says(t, "metapipe state restore --customer shop --environment staging --stack network")
	fixture.Check(t, os.Remove(file))
	d.run(4, "apps", first, "--state").Says(t, "holds no state", "metapipe state restore --customer shop --environment staging --stack network")
}
