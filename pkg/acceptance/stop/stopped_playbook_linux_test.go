package stop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/ansible/ansibletest"
)

const slowPlaybook = `- name: hosts
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: page
      ansible.builtin.copy: {dest: "DIR/page", content: "{{ config.name }}", mode: "0600"}
    - name: restart
      ansible.builtin.shell: "touch DIR/begun; while [ -e DIR/hold ]; do sleep 0.1; done"
    - name: log
      ansible.builtin.copy: {dest: "DIR/log", content: "{{ config.name }}", mode: "0600"}
`

// TestStoppedPlaybook stops an apply of Ansible in the middle of its second task: what was done
// is told, what was not begun is not done, and the next push goes on from there.
func TestStoppedPlaybook(t *testing.T) {
	t.Parallel()
	ansibletest.Tool(t)
	for _, s := range stoppings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := fixture.New(t, map[string]string{
				"metapipe.yml":        "environments: [{name: staging, branches: [main]}]\nstacks:\n  - {name: hosts, root: hosts, tool: ansible}\n",
				"hosts/site.yml":      strings.ReplaceAll(slowPlaybook, "DIR", dir),
				"hosts/inventory.yml": "all: {hosts: {web1: }}\n",
			})
			hold := filepath.Join(dir, "hold")
			fixture.AppendTo(t, hold, "")
			run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"})
			r := w.Accept(run)
			planned := r.Planned("staging/hosts")
			p := w.NewJob(r.Run).Start(r.Args("apply", "staging/hosts", "--receipt", planned.Outputs["receipt"])...)
			fixture.AwaitFile(t, filepath.Join(dir, "begun"))
			tools := fixture.Children(p.PID())
			s.send(t, p)
			end := p.Wait()
			if end.Exit != s.exit {
				t.Fatalf("exit code %d, want %d:\n%s", end.Exit, s.exit, end.Log)
			}
			if s.exit == 130 {
				end.Want(t, "outcome=cancelled")
			} else { // the tool outlives metapipe, and ends its work in peace
				fixture.Check(t, os.Remove(hold))
			}
			fixture.Await(t, "the tool to be gone", func() bool { return !slices.ContainsFunc(tools, fixture.Alive) })
			if got := fixture.ReadOptional(t, filepath.Join(dir, "page")); got != "shop" {
				t.Errorf("the first task has left %q", got)
			}
			report := r.Report("--final", "--cancelled")
			w.WantNothingPending()
			if s.exit == 130 {
				if got := fixture.ReadOptional(t, filepath.Join(dir, "log")); got != "" {
					t.Errorf("a task that was not begun has left %q", got)
				}
				for _, text := range []string{"web1: page", "web1: restart", "began and did not end"} {
					if !strings.Contains(report.Summary, text) {
						t.Errorf("the report does not say %q:\n%s", text, report.Summary)
					}
				}
				fixture.Check(t, os.Remove(hold))
			}
			if got := w.Statuses(run.SHA)["infra/terraform-deploy/staging/hosts"]; strings.HasPrefix(got, "success") {
				t.Errorf("a stopped apply is told as %q", got)
			}
			r.Do(4, "apply", "staging/hosts")
			next := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
			again := next.Planned("staging/hosts")
			next.Do(0, "apply", "staging/hosts", "--receipt", again.Outputs["receipt"]).Want(t, "outcome=applied")
			next.Report("--final").Want(t, "outcome=success")
			for _, name := range []string{"page", "log"} {
				if got := fixture.ReadOptional(t, filepath.Join(dir, name)); got != "next" {
					t.Errorf("the next push has left %q in %s", got, name)
				}
			}
		})
	}
}
