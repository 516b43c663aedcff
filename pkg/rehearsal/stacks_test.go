package rehearsal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRehearsalOfStacks: a manager with two stacks deploys each environment stack by stack,
// each with a root, a state, statuses and outputs of its own.
func TestRehearsalOfStacks(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	hosts := strings.ReplaceAll(tinyManager, `terraform_data" "size"`, `terraform_data" "hosts"`)
	hosts = strings.ReplaceAll(hosts, `output "size" { value = terraform_data.size.output }`, `output "hosts" { value = terraform_data.hosts.output }`)
	o.ManagerDir = tree(t, map[string]string{"network/main.tf": tinyManager, "hosts/main.tf": hosts,
		"metapipe.yml": "customer_variables: [\"*\"]\nenvironments: [{name: dev}, {name: live, gated: true}]\nstacks: [{name: network, root: network}, {name: hosts, root: hosts}]\n"})
	o.Proposal = filepath.Join(tree(t, map[string]string{"p.yml": strings.ReplaceAll(tinyVariables, "size: 2", "size: 3")}), "p.yml")
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Where you are today: ok", "Pull request: ok", "Merge: ok", "Second push: ok", "A mistake: ok")
	if !r.OK() || len(r.Pending) > 0 || !r.Report.OK {
		t.Errorf("not as it should be: %+v\n%s", r.Pending, terminal.String())
	}
	for _, name := range []string{"manager/summaries/run-2-plan-dev.network.md", "manager/summaries/run-2-plan-live.hosts.md"} {
		if _, err := os.Stat(filepath.Join(r.Out, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	deployments := read(t, r.Out, "customer", "deployments.json")
	for _, part := range []string{`"infra/dev/network"`, `"infra/dev/hosts"`, `"infra/live/network"`, `"infra/live/hosts"`, `"size"`, `"hosts"`} {
		wantPart(t, deployments, part)
	}
	comment := read(t, r.Out, "customer", "pull-requests", "1", "comment.md")
	for _, part := range []string{"terraform_data.size", "terraform_data.hosts", "network", "hosts"} {
		wantPart(t, comment, part)
	}
	if all := everyFile(t, r.Out) + terminal.String(); strings.Contains(all, "hush-hush") {
		t.Error("a secret got out")
	}
}
