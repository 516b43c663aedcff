package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

const (
	playbookTasks = 20
	playbookPairs = 4
)

// playbook compares the dry run of a stack of Ansible with the check typed by hand.
func (b *bench) playbook(t *testing.T) {
	tool, err := exec.LookPath("ansible-playbook")
	if err != nil {
		t.Fatalf("there is no ansible-playbook to compare with: %v", err)
	}
	manager := filepath.Join(b.dir, "playbook")
	root, customer := filepath.Join(manager, "hosts"), filepath.Join(b.dir, "playbook-customer")
	var tasks strings.Builder
	for i := range playbookTasks {
		fmt.Fprintf(&tasks, "    - {name: file %d, ansible.builtin.copy: {dest: %s/%d, content: \"{{ config.name }}\", mode: \"0644\"}}\n", i, b.dir, i)
	}
	for name, content := range map[string]string{
		"playbook/metapipe.yml":                 "environments: [{name: staging}]\nstacks: [{name: hosts, root: hosts, tool: ansible}]\n",
		"playbook/hosts/inventory.yml":          "all: {hosts: {web1: , web2: }}\n",
		"playbook/hosts/site.yml":               "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n" + tasks.String(),
		"playbook/vars.yml":                     "config: {name: shop}\n",
		"playbook-customer/infra/variables.yml": "name: shop\nenvironments: {staging: {}}\n",
	} {
		file := filepath.Join(b.dir, filepath.FromSlash(name))
		fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		writeFile(t, file, content)
	}
	ratio, own, other := versus(playbookPairs,
		func() time.Duration {
			return b.run(t, b.dir, nil, b.metapipe, "plan", "--manager-dir", manager, "--customer-dir", customer, "--environment", "staging", "--stack", "hosts")
		},
		func() time.Duration {
			return b.run(t, root, nil, tool, "--check", "--diff", "-i", "inventory.yml", "-e", "@../vars.yml", "site.yml")
		},
	)
	b.add(t, row{name: fmt.Sprintf("plan of %d tasks on 2 hosts / ansible-playbook --check by hand", playbookTasks), measured: ratio, aim: 1.05, limit: 1.10, unit: "×"})
	b.add(t, row{name: "  metapipe plan", measured: milliseconds(own), unit: "ms"})
	b.add(t, row{name: "  by hand", measured: milliseconds(other), unit: "ms"})
}
