package act

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// stacksFiles are a manager with two stacks.
func stacksFiles(t *testing.T) map[string]string {
	t.Helper()
	return chained(t, map[string]string{
		"metapipe.yml": `
environments:
  - {name: staging, branches: [main]}
  - {name: production, branches: [main], gated: true}
stacks:
  - {name: network, root: network}
  - {name: hosts, root: hosts}
limits: {lock_timeout: 0s}
`,
		"network/main.tf": fixture.ManagerFiles["terraform/main.tf"],
		"hosts/main.tf":   strings.ReplaceAll(fixture.ManagerFiles["terraform/main.tf"], "in ${var.environment}", "runs in ${var.environment}"),
	})
}

// needsFiles are a manager with two stacks, of which hosts is built from the outputs of network.
func needsFiles(t *testing.T) map[string]string {
	t.Helper()
	return chained(t, map[string]string{
		"metapipe.yml": `
environments:
  - {name: staging, branches: [main]}
stacks:
  - {name: network, root: network}
  - {name: hosts, root: hosts, needs: [network]}
limits: {lock_timeout: 0s}
`,
		"network/main.tf": `
variable "config" { type = any }
resource "terraform_data" "n" { input = "net-of-${var.config.name}" }
output "name" { value = terraform_data.n.output }
output "token" {
  value     = "` + neededToken + `"
  sensitive = true
}
`,
		"hosts/main.tf": `
variable "config" { type = any }
variable "network" { type = object({ name = string, token = string }) }
resource "terraform_data" "h" { input = "${var.config.size} hosts in ${var.network.name}" }
output "name" { value = terraform_data.h.output }
`,
	})
}

const neededToken = "open-sesame-of-network"

// chained adds the workflow of a manager, whose chain of jobs metapipe has written.
func chained(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	fixture.Check(t, os.CopyFS(filepath.Join(dir, ".github", "workflows"), os.DirFS(filepath.Join(fixture.Root(t), "workflows", "manager"))))
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		fixture.Check(t, os.WriteFile(file, []byte(text), 0o600))
	}
	fixture.RunIn(t, dir, "metapipe", "validate", "--write-workflows")
	files[fixture.ManagerWorkflow] = string(fixture.Must(os.ReadFile(filepath.Join(dir, filepath.FromSlash(fixture.ManagerWorkflow))))(t))
	return files
}

// stacksInAct plans a pull request of two environments with two stacks each, and merges it:
// every stack is planned, approved and applied by itself, in order.
func stacksInAct(t *testing.T, w *actSetup) {
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging/network", "report", "plan staging/hosts", "report", "plan production/network", "report", "plan production/hosts", "report")
	targets := []string{"staging/network", "staging/hosts", "production/network", "production/hosts"}
	head := fixture.Must(w.Customer.Pull(number))(t).Head
	for _, target := range targets {
		w.WantStatus(head, "infra/terraform-deploy/"+target, "success: ")
	}
	w.WantStatus(head, "infra/terraform-deploy", "success: ")

	before := fixture.Must(w.Customer.Head("main"))(t)
	merged := fixture.Must(w.Customer.MergePull(number, hub.Squash, "casey"))(t)
	j = w.through(w.PushedFrom("main", before, merged), nil)
	w.wantEnds(j, true, true)
	want := []string{"fetch-vars", "report"}
	for _, target := range targets {
		want = append(want, "plan "+target, "report", "report --applying", "apply "+target, "report")
	}
	j.wantSteps(t, want...)
	for _, target := range targets {
		w.WantStatus(merged, "infra/terraform-deploy/"+target, "success: Applied")
		env, stack, _ := strings.Cut(target, "/")
		says := map[string]string{"network": "shop in " + env, "hosts": "shop runs in " + env}[stack]
		if !strings.Contains(w.State("shop/"+env+"."+stack), says) {
			t.Errorf("the state of %s does not say %q", target, says)
		}
		if w.State("shop/"+env) != "" {
			t.Errorf("%s has a state without a stack", env)
		}
	}
	w.wantDeployments(merged, "infra/production/hosts success", "infra/production/network success", "infra/staging/hosts success", "infra/staging/network success")
	w.WantNothingPending()
	if len(j.run.Reviews) != 2 {
		t.Errorf("each stack of production is approved by itself: %+v", j.run.Reviews)
	}
	j.wantHandedOn(t, map[string]string{"staging/network": "shop in staging", "staging/hosts": "shop runs in staging",
		"production/network": "shop in production", "production/hosts": "shop runs in production"})
}

// needsInAct deploys two stacks of which one is built from the outputs of the other. A pull
// request plans it once they are known.
func needsInAct(t *testing.T, w *actSetup) {
	const variables = "name: shop\nsize: %d\nenvironments:\n  staging: {}\n"
	pull := func(branch string, size int, hosts string) (number int) {
		t.Helper()
		run, number := w.Pull(w.Customer, branch, map[string]string{"infra/variables.yml": fmt.Sprintf(variables, size)})
		j := w.through(run, nil)
		w.wantEnds(j, true, true)
		j.wantSteps(t, "fetch-vars", "report", "plan staging/network", "report", "plan staging/hosts", "report")
		head := fixture.Must(w.Customer.Pull(number))(t).Head
		w.WantStatus(head, "infra/terraform-deploy/staging/hosts", "success: "+hosts)
		w.WantStatus(head, "infra/terraform-deploy", "success: ")
		return number
	}
	merge := func(number int, says string, steps ...string) {
		t.Helper()
		before := fixture.Must(w.Customer.Head("main"))(t)
		merged := fixture.Must(w.Customer.MergePull(number, hub.Squash, "casey"))(t)
		j := w.through(w.PushedFrom("main", before, merged), nil)
		w.wantEnds(j, true, true)
		j.wantSteps(t, append([]string{"fetch-vars", "report"}, steps...)...)
		w.WantStatus(merged, "infra/terraform-deploy/staging/hosts", "success: Applied")
		if state := w.State("shop/staging.hosts"); !strings.Contains(state, says) || strings.Contains(state, neededToken) {
			t.Errorf("the state of hosts does not say %q, or has an output that hosts does not refer to:\n%s", says, state)
		}
		w.WantNothingPending()
		j.wantHandedOn(t, map[string]string{"staging/network": "net-of-shop", "staging/hosts": says})
	}
	network := []string{"plan staging/network", "report", "report --applying", "apply staging/network", "report"}
	hosts := []string{"plan staging/hosts", "report", "report --applying", "apply staging/hosts", "report"}

	first := pull("first", 2, "Not known yet")
	if w.State("shop/staging.network") != "" || w.State("shop/staging.hosts") != "" {
		t.Error("a pull request has applied")
	}
	merge(first, "2 hosts in net-of-shop", append(network, hosts...)...)
	second := pull("second", 3, "Plan")
	merge(second, "3 hosts in net-of-shop", append(network[:2:2], hosts...)...)
	for _, pull := range w.Customer.Snapshot().Pulls {
		if len(pull.Comments) != 1 || strings.Contains(pull.Comments[0].Body, neededToken) || !strings.Contains(pull.Comments[0].Body, "hosts in net-of-shop") {
			t.Errorf("comments: %+v", pull.Comments)
		}
	}
	for _, key := range w.states.Keys("shop/staging.") {
		if content := read(w.states, key); strings.Contains(content, neededToken) && !strings.HasSuffix(key, "/terraform.tfstate") {
			t.Errorf("%s holds the token in clear", key)
		}
	}
}

// failedStackInAct lets the first stack of staging fail: no stack and no environment after it
// is planned or applied.
func failedStackInAct(t *testing.T, w *actSetup) {
	run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop") + "command: exit 3\n"})
	j := w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging/network", "report", "report --applying", "apply staging/network", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging/network", "failure: ")
	for _, target := range []string{"staging/hosts", "production/network", "production/hosts"} {
		w.WantStatus(run.SHA, "infra/terraform-deploy/"+target, "error: Stopped: staging/network failed")
	}
	for _, part := range []string{"staging.hosts", "production.network", "production.hosts"} {
		if w.State("shop/"+part) != "" {
			t.Errorf("%s was applied after staging/network had failed", part)
		}
	}
	w.WantNothingPending()
	j.wantHandedOn(t, nil)
}
