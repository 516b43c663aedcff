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
	for _, name := range []string{"manager/summaries/run-2-dev-network-report.md", "manager/summaries/run-2-live-hosts-report.md"} {
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

// TestRehearsalOfProperties: a stack that a custom property leaves out is not deployed,
// until the customer switches it on.
func TestRehearsalOfProperties(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	o := options(t, tinyVariables, &terminal)
	o.ManagerDir = tree(t, map[string]string{"network/main.tf": tinyManager, "hosts/main.tf": strings.NewReplacer(`terraform_data" "size"`, `terraform_data" "hosts"`, "terraform_data.size", "terraform_data.hosts").Replace(tinyManager),
		"metapipe.yml": "customer_variables: [\"*\"]\nenvironments: [{name: dev}, {name: live, gated: true}]\nproperties: {names: {tools: our_tools}, default_tools: []}\n" +
			"stacks: [{name: network, root: network}, {name: hosts, root: hosts}]\n"})
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, terminal.String())
	}
	wantSteps(t, r, "Pull request: ok", "Merge: ok", "Second push: ok", "A property: ok", "A mistake: ok")
	comment := read(t, r.Out, "customer", "pull-requests", "1", "comment.md")
	wantPart(t, comment, "`our_tools` = `network`")
	if strings.Contains(comment, "terraform_data.hosts") {
		t.Errorf("a stack that is switched off is planned:\n%s", comment)
	}
	deployments := read(t, r.Out, "customer", "deployments.json")
	for _, part := range []string{`"infra/dev/network"`, `"infra/dev/hosts"`, `"infra/live/hosts"`} {
		wantPart(t, deployments, part)
	}
	for _, part := range []string{"A property", "sets the custom property our_tools", "network, hosts", "hosts applied, nothing else changed"} {
		wantPart(t, terminal.String()+read(t, r.Out, "story.html"), part)
	}
}
