package drift

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/ansible/ansibletest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const hostsPlaybook = `- name: hosts
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: page
      ansible.builtin.copy: {dest: "DIR/{{ inventory_hostname }}", content: "{{ config.name }}\n", mode: "0644"}
    - name: restart
      ansible.builtin.command: "true"
`

// TestPlaybookDrifts plays a stack of Ansible: its drift is found without changing anything,
// what a scan cannot know is no drift, and it keeps its history under another name without
// a state.
func TestPlaybookDrifts(t *testing.T) {
	t.Parallel()
	ansibletest.Tool(t)
	dir := t.TempDir()
	w := fixture.New(t, map[string]string{
		"metapipe.yml":        "environments: [{name: staging, branches: [main]}]\nstacks:\n  - {name: hosts, root: hosts, tool: ansible}\n",
		"hosts/site.yml":      strings.ReplaceAll(hostsPlaybook, "DIR", dir),
		"hosts/inventory.yml": "all: {hosts: {web1: }}\n",
		"hosts/destroy.yml":   "- {hosts: all, connection: local, gather_facts: false, tasks: [{name: gone, ansible.builtin.file: {path: \"" + dir + "/web1\", state: absent}}]}\n",
	})
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"}))
	planned := r.Planned("staging/hosts")
	r.Do(0, "apply", "staging/hosts", "--receipt", planned.Outputs["receipt"]).Want(t, "outcome=applied")
	r.Report("--final").Want(t, "outcome=success")
	page := filepath.Join(dir, "web1")
	look := func(exit int) []pipeline.DriftKind {
		t.Helper()
		results := fixture.ScanOf(t, w.DriftJob().Do(exit, "drift", "--environment", "staging", "--issues", "10", "--json")).Results
		if len(results) != 1 {
			t.Fatalf("found %+v", results)
		}
		return results[0].Kinds
	}
	if kinds := look(0); len(kinds) > 0 {
		t.Errorf("after the apply: %v", kinds)
	}
	fixture.Check(t, os.WriteFile(page, []byte("someone else\n"), 0o600))
	if kinds := look(6); len(kinds) != 1 || kinds[0] != pipeline.DriftReal {
		t.Errorf("after an edit on the host: %v", kinds)
	}
	if got := fixture.ReadOptional(t, page); got != "someone else\n" {
		t.Errorf("the scan has changed the host: %q", got)
	}
	issues := w.Customer.Snapshot().Issues
	if len(issues) != 1 || !strings.Contains(issues[0].Body, "web1: page") {
		t.Errorf("the issues are %+v", issues)
	}
	pull, _ := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": "name: boutique\nenvironments:\n  staging: {}\n"})
	looked := w.Accept(pull)
	looked.Do(0, "plan", "staging/hosts").Want(t, "outcome=planned")
	looked.Report("--final")
	for _, want := range []string{"predicted, not exact", "boutique", "web1: page", "web1: restart", "do not run in check mode"} {
		if comments := string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t)); !strings.Contains(comments, want) {
			t.Errorf("the pull request does not say %q", want)
		}
	}
	w.RenameCustomer("shop", "store")
	w.DriftJob().Do(0, "customer", "rename", "shop", "store", "--apply").Says(t, "customer shop is store now")
	next := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n# again\n"}))
	again := next.Planned("staging/hosts")
	next.Do(0, "apply", "staging/hosts", "--receipt", again.Outputs["receipt"]).Want(t, "outcome=applied")
	if got := fixture.ReadOptional(t, page); got != "shop\n" {
		t.Errorf("the apply has left %q", got)
	}
}
