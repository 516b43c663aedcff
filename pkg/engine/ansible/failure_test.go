package ansible

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/ansible/ansibletest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestFailures: what went wrong, where it stands and what to do about it. Exit code 4 stands
// for two of these.
func TestFailures(t *testing.T) {
	t.Parallel()
	ansibletest.Tool(t)
	for name, c := range map[string]struct {
		playbook, inventory string
		message, operator   string
		where, source       int // lines; 0: none
	}{
		"unreachable": {playbook: "- hosts: all\n  tasks:\n    - ansible.builtin.ping:\n", inventory: "all: {hosts: {web1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n",
			message: "web1: Gathering Facts: Failed to connect", operator: "whether web1 can be reached"},
		"parse error":    {playbook: "- hosts: all\n  tasks:\n    - no_such_module_at_all:\n", message: "couldn't resolve module/action", where: 3},
		"no YAML":        {playbook: "- hosts: [\n", message: "plan of acme/staging failed", where: 2},
		"no host":        {playbook: "- hosts: db\n  tasks:\n    - ansible.builtin.ping:\n", message: "no host matches its plays", operator: "groups of the inventory"},
		"failed task":    {playbook: head + "    - name: bad\n      ansible.builtin.fail: {msg: it is broken}\n", message: "web1: bad: it is broken", where: 8},
		"missing key":    {playbook: head + "    - name: bad\n      ansible.builtin.debug: {msg: \"{{ config.size }}\"}\n", message: "has no attribute 'size'", where: 8, source: 4},
		"ignored":        {playbook: head + "    - name: bad\n      ansible.builtin.fail:\n      ignore_errors: true\n"},
		"failed in loop": {playbook: head + "    - name: bad\n      ansible.builtin.fail: {msg: \"not {{ item }}\"}\n      loop: [a]\n", message: "web1: bad [a]: not a", where: 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.playbook)
			if c.inventory != "" {
				terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "hosts", "inventory.yml"), c.inventory)
			}
			planned, err := b.Engine.Plan(t.Context(), b.Job)
			if c.message == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var failed *pipeline.FailedError
			if !errors.As(err, &failed) || !strings.Contains(failed.Message, c.message) || !strings.Contains(failed.Operator, c.operator) || len(planned.Artifacts) > 0 {
				t.Fatalf("got %+v\n%s", err, b.Job.Log)
			}
			if strings.Contains(err.Error()+failed.Operator, b.Job.Dir) {
				t.Errorf("it names the run directory: %v", err)
			}
			if c.where == 0 {
				return
			}
			if d := failed.Diagnostics[0]; d.Where.File != "hosts/site.yml" || d.Where.Line != c.where || d.Source.Line != c.source {
				t.Errorf("it points to %+v and %+v", d.Where, d.Source)
			}
		})
	}
}

// TestWhatIsNotPredicted: a plan says what check mode passes over, and hides what no_log hides.
func TestWhatIsNotPredicted(t *testing.T) {
	t.Parallel()
	b := newBench(t, head+`    - name: command
      ansible.builtin.command: "true"
    - name: not now
      ansible.builtin.command: "true"
      when: false
    - name: hidden and not now
      no_log: true
      ansible.builtin.command: "true"
      when: false
    - name: removed
      ansible.builtin.file: {path: "SCRATCH-old", state: absent}
`)
	terraformtest.WriteFile(t, b.scratch+"-old", "x")
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	p := planned.Plan
	if len(p.Invocations) != 1 || p.Invocations[0].Address != "web1: command" || p.Counts != (pipeline.Counts{Create: 1, Delete: 1, Invoke: 1}) || len(p.Diagnostics) != 1 {
		t.Errorf("planned %+v", p)
	}
	looked, err := b.Engine.(*Engine).NewFleet(t.TempDir()).Plan(t.Context(), b.Job)
	if err != nil || len(looked.Plan.Invocations) > 0 || looked.Plan.Counts.Invoke > 0 || len(looked.Plan.Changes) != 2 {
		t.Errorf("a scan finds %+v: %v", looked.Plan, err)
	}
}

// TestUnusable: what cannot be planned is said before anything runs.
func TestUnusable(t *testing.T) {
	t.Parallel()
	ansibletest.Tool(t)
	for name, c := range map[string]struct {
		change func(t *testing.T, b *bench)
		want   string
	}{
		"no tool":         {func(_ *testing.T, b *bench) { b.Engine = New(Options{Environ: []string{"PATH=/nonexistent"}}) }, "install ansible-core"},
		"another version": {func(_ *testing.T, b *bench) { b.Job.Customer.Manager.Tool.Constraint = "< 2.10" }, `ansible-core "< 2.10" is needed`},
		"no playbook":     {func(t *testing.T, b *bench) { remove(t, b, "site.yml") }, "holds no site.yml"},
		"no inventory":    {func(t *testing.T, b *bench) { remove(t, b, "inventory.yml") }, "has no inventory"},
		"no key":          {func(_ *testing.T, b *bench) { b.Job.Customer.Manager.Tool.Ansible.SSHKey = "HOSTS_KEY" }, "HOSTS_KEY, which is not set"},
		"a denied key":    {func(_ *testing.T, b *bench) { b.Job.Customer.Manager.Tool.Ansible.SSHKey = "GITHUB_TOKEN" }, "which is not set"},
		"destroy":         {func(_ *testing.T, b *bench) { b.Job.Destroy = true }, "destroy.yml is not there"},
		"needed output": {func(t *testing.T, b *bench) {
			b.Job.Needed = []pipeline.NeededOutputs{{Stack: "my-net", Values: []pipeline.OutputValue{{Name: "id"}, {Name: "other"}}}}
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "hosts", "page.j2"), "x\n{{ my_net.id }}\n")
		}, "hosts/page.j2:2 depends on the output id of my-net that is not known yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demoPlaybook)
			c.change(t, &b)
			b.Forget(t)
			_, err := b.Engine.Plan(t.Context(), b.Job)
			text := fmt.Sprint(err)
			var usage *pipeline.UsageError
			if errors.As(err, &usage) {
				text += usage.Next
			}
			if err == nil || !strings.Contains(text, c.want) {
				t.Errorf("got %s", text)
			}
			if commands, _ := b.Calls(t); len(commands) > 0 {
				t.Errorf("it ran %q", commands)
			}
		})
	}
}

func remove(t *testing.T, b *bench, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(b.Job.ManagerDir, "hosts", name)); err != nil {
		t.Fatal(err)
	}
}
