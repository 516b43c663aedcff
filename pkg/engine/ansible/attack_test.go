package ansible

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// evil runs a program where a template is evaluated.
func evil(file, name string) string {
	return fmt.Sprintf("{{ lookup('pipe', 'touch %s-%s') }}", file, name)
}

// TestValuesAreData: no value of a customer or of another stack is evaluated, whatever kind
// of value it is and whatever the playbook does with it.
func TestValuesAreData(t *testing.T) {
	t.Parallel()
	ran := filepath.Join(t.TempDir(), "ran")
	values := map[string]any{
		"text": evil(ran, "text"), "block": "{% set x = lookup('pipe', 'touch " + ran + "-block') %}{{ x }}", "comment": "{# x #}" + evil(ran, "comment"),
		"lines": "one\n" + evil(ran, "lines") + "\n", "list": []any{evil(ran, "list"), map[string]any{"deep": []any{evil(ran, "deep")}}},
		"map": map[string]any{"key": evil(ran, "value")}, "when": "lookup('pipe', 'touch " + ran + "-when')",
		"tag": "!vault |\n  " + evil(ran, "tag"), "unsafe": "!unsafe " + evil(ran, "unsafe"), "odd": "\u2028\U0001F600\\\"'" + evil(ran, "odd"),
		"number": json.Number("1e999"), "none": nil, "yes": true,
	}
	variables, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, `- name: hosts
  hosts: "all:!none"
  connection: local
  gather_facts: false
  vars:
    again: "{{ config.text }}"
    all_of_it: "{{ [config, network, from_host, from_group] | to_json }}"
  tasks:
    - name: "shows {{ config.text }}"
      ansible.builtin.copy: {dest: "SCRATCH-all", content: "{{ all_of_it }}{{ again }}", mode: "0644"}
    - name: items
      ansible.builtin.debug: {msg: "{{ item }} {{ hostvars[inventory_hostname].config.lines }}"}
      loop: "{{ config.list + [config.map, network.evil] }}"
    - name: condition
      ansible.builtin.debug: {msg: "{{ config.tag }}"}
      when: config.when and from_host and config.text != again + 'x'
    - name: facts
      ansible.builtin.set_fact: {kept: "{{ config.odd }}", other: "{{ config.map }}"}
    - name: page
      ansible.builtin.template: {src: page.j2, dest: "SCRATCH-page", mode: "0644"}
`)
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "hosts", "page.j2"), "{{ kept }}\n{{ other }}\n{{ config.block }}{{ network }}{{ from_group }}\n")
	b.Job.Variables = terraformtest.ParseDocument(t, string(variables))
	inventory, err := json.Marshal(map[string]any{"web": map[string]any{"hosts": map[string]any{"web1": map[string]any{"from_host": evil(ran, "host")}}, "vars": map[string]any{"from_group": evil(ran, "group")}}})
	if err != nil {
		t.Fatal(err)
	}
	needed, err := json.Marshal(evil(ran, "output"))
	if err != nil {
		t.Fatal(err)
	}
	b.Job.Needed = []pipeline.NeededOutputs{{Stack: "network", Values: []pipeline.OutputValue{{Name: "ansible_inventory", Value: inventory}, {Name: "evil", Value: needed}}}}
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Job.Log)
	}
	shown := ""
	for _, c := range planned.Plan.Changes {
		for _, a := range c.Attributes {
			shown += a.After.Text
		}
	}
	for _, want := range []string{"-text'", "-deep'", "-value'", "-output'", "-host'", "-group'", "-odd'", "-block'"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the value with %s did not get to the playbook as it is:\n%s", want, shown)
		}
	}
	if found, err := filepath.Glob(ran + "*"); err != nil || len(found) > 0 {
		t.Errorf("these templates were evaluated: %q %v", found, err)
	}
}

// TestKeysOfAnsible: what Ansible reads as more than data is no key of a customer.
func TestKeysOfAnsible(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"__ansible_unsafe", "__ansible_vault", "{{ lookup('pipe', 'id') }}", "a {% if x %}", "{#", "{"} {
		b := newBench(t, demoPlaybook)
		b.Job.Variables = terraformtest.ParseDocument(t, fmt.Sprintf("name: demo\nx: [{%q: 1}]\n", key))
		var failed *pipeline.FailedError
		if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &failed) || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) || !strings.Contains(err.Error(), "variables.yml:2") {
			t.Errorf("%s: %v", key, err)
		}
		b.Job.Variables = terraformtest.ParseDocument(t, "name: demo\n")
		output, err := json.Marshal(map[string]any{key: 1})
		if err != nil {
			t.Fatal(err)
		}
		b.Job.Needed = []pipeline.NeededOutputs{{Stack: "network", Values: []pipeline.OutputValue{{Name: "ports", Value: output}}}}
		if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &failed) || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
			t.Errorf("%s in an output: %v", key, err)
		}
	}
}

// TestPlaybookThatPrintsSecrets: what the vault, the environment and other stacks hold as
// secret gets into no log, no model and no error, wherever the playbook puts it.
func TestPlaybookThatPrintsSecrets(t *testing.T) {
	t.Parallel()
	b := withVault(t, `    - name: "task {{ secret }}"
      ansible.builtin.debug: {msg: "{{ secret }}"}
    - name: items
      ansible.builtin.copy: {dest: "SCRATCH/{{ item }}", content: "{{ item }} {{ network.token }} {{ from_file }}", mode: "0600"}
      loop: ["{{ secret }}", "{{ secret | b64encode }}", "{{ network.token }}"]
    - name: warns
      ansible.builtin.debug: {msg: "{{ lookup('pipe', 'echo ' + secret + ' >&2; echo ' + lookup('env', 'CLOUD_TOKEN') + ' >&2') }}"}
    - name: quiet
      no_log: true
      ansible.builtin.copy: {dest: "SCRATCH/quiet", content: "only-here-open-sesame-3", mode: "0600"}
    - name: fails
      ansible.builtin.shell: "echo {{ secret }} {{ network.token }} {{ lookup('env', 'CLOUD_TOKEN') }} >&2; exit 1"
      args: {creates: SCRATCH/never}
`)
	// A file that is encrypted as a whole.
	file := filepath.Join(b.Job.ManagerDir, "hosts", "group_vars", "all.yml")
	terraformtest.WriteFile(t, file, "from_file: whole-open-sesame-4\n")
	encrypt(t, file)
	options := b.Engine.(*Engine).options
	options.Environ = append(options.Environ, "CLOUD_TOKEN=cloud-open-sesame-5")
	options.Secrets = func() []string { return []string{"cloud-open-sesame-5"} }
	b.Job.Customer.Manager.Tool.Env = []string{"CLOUD_TOKEN"}
	b.Job.Needed = []pipeline.NeededOutputs{{Stack: "network", Values: []pipeline.OutputValue{{Name: "token", Value: json.RawMessage(`"output-open-sesame-6"`), Sensitive: true}}}}
	b.Engine = New(options)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Job.Log)
	}
	applied, applyErr := b.Engine.Apply(t.Context(), b.Job, terraformtest.Stored(planned))
	var failed *pipeline.FailedError
	if !errors.As(applyErr, &failed) {
		t.Fatal(applyErr)
	}
	for what, value := range map[string]any{"the plan": planned.Plan, "the evidence": planned.Evidence, "what was done": applied, "the error": []string{applyErr.Error(), failed.Next, failed.Operator},
		"its diagnostics": failed.Diagnostics, "the log": fmt.Sprint(b.Job.Log)} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "open-sesame") || strings.Contains(string(text), "b3Blbi1zZXNhbWUtMQ") {
			t.Errorf("%s holds a secret:\n%s", what, text)
		}
	}
	for _, name := range []string{"workspace/private", "workspace/tree/hosts/private"} {
		if _, err := os.Stat(filepath.Join(b.Job.Dir, filepath.FromSlash(name))); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

// TestTasksThatPlansWouldRun are refused before anything of them runs, unless the stack lists
// them: those that stand in the code, and those that only show when the playbook runs.
func TestTasksThatPlansWouldRun(t *testing.T) {
	t.Parallel()
	const task = `    - name: writes
      check_mode: %s
      ansible.builtin.copy: {dest: "SCRATCH-real", content: x, mode: "0644"}
`
	for name, c := range map[string]struct {
		tasks, hidden string
		listed        []string
		ran           bool
	}{
		"in the code":         {tasks: fmt.Sprintf(task, "false")},
		"computed":            {tasks: fmt.Sprintf(task, `"{{ false }}"`)},
		"as an alias":         {tasks: "    - name: writes\n      vars: {x: &yes false}\n      check_mode: *yes\n      ansible.builtin.copy: {dest: \"SCRATCH-real\", content: x}\n"},
		"of a block":          {tasks: "    - name: block\n      check_mode: no\n      block:\n        - ansible.builtin.copy: {dest: \"SCRATCH-real\", content: x}\n"},
		"hidden from a look":  {tasks: "    - name: more\n      ansible.builtin.include_tasks: more.txt\n", hidden: fmt.Sprintf(strings.ReplaceAll(task, "    - ", "- "), "false")},
		"listed":              {tasks: fmt.Sprintf(task, "false"), listed: []string{"writes"}, ran: true},
		"listed, and another": {tasks: fmt.Sprintf(task, "false") + fmt.Sprintf(strings.Replace(task, "writes", "other", 1), "false"), listed: []string{"writes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, head+c.tasks)
			if c.hidden != "" {
				lines := strings.ReplaceAll(strings.ReplaceAll(c.hidden, scratch, b.scratch), "\n      ", "\n  ")
				terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "hosts", "more.txt"), lines)
			}
			b.Job.Customer.Manager.Tool.Ansible.RunsInCheck = c.listed
			_, err := b.Engine.Plan(t.Context(), b.Job)
			var usage *pipeline.UsageError
			if refused := errors.As(err, &usage) && strings.Contains(usage.Message, "would run for real in a plan"); refused == c.ran || refused == (err == nil) {
				t.Errorf("got %v", err)
			}
			if ran := isFile(b.scratch + "-real"); ran != c.ran {
				t.Errorf("it ran: %t", ran)
			}
		})
	}
}

// TestChecksOfTasks: validate sees what check_mode of a task is, also where an alias stands for it.
func TestChecksOfTasks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value string
		found bool
	}{
		"true":                  {"true", false},
		"false":                 {"false", true},
		"an alias of false":     {"*yes", true},
		"an alias of true":      {"*other", false},
		"an alias of a mapping": {"*all", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, head+"    - &all\n      name: &called writes\n      ansible.builtin.debug: {}\n      vars: {a: &yes false, b: &other true}\n    - name: *called\n      check_mode: "+c.value+"\n      ansible.builtin.debug: {}\n")
			problems, _ := b.Engine.(*Engine).CheckRoot(b.Job.ManagerDir, b.Job.Root(), toolName)
			if found := len(problems) == 1 && strings.Contains(problems[0].Message, `the task "writes" has check_mode other than true`); found != c.found || !found && len(problems) > 0 {
				t.Errorf("it finds %+v", problems)
			}
		})
	}
}

// TestSettingsOfConnections: no inventory, playbook or environment turns the check of host keys
// off or adds options to ssh.
func TestSettingsOfConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t, `- name: hosts
  hosts: all
  connection: local
  gather_facts: false
  vars: {ansible_host_key_checking: false, ansible_ssh_extra_args: "-o ProxyCommand=x"}
  tasks:
    - name: show
      ansible.builtin.copy:
        dest: "SCRATCH"
        mode: "0644"
        content: "<{{ ansible_ssh_args }}> <{{ ansible_ssh_common_args }}> <{{ ansible_ssh_extra_args }}> <{{ ansible_host_key_checking }}> <{{ ansible_ssh_executable }}> <{{ lookup('env', 'ANSIBLE_HOST_KEY_CHECKING') }}>"
`)
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "hosts", "inventory.yml"),
		"all: {hosts: {web1: {ansible_ssh_args: -o StrictHostKeyChecking=no, ansible_ssh_common_args: -o ProxyCommand=x, ansible_ssh_executable: /tmp/evil}}}\n")
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "hosts", "ansible.cfg"), "[defaults]\nhost_key_checking = False\n")
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil || len(planned.Plan.Changes) != 1 || len(planned.Plan.Changes[0].Attributes) != 1 {
		t.Fatalf("%+v %v", planned.Plan, err)
	}
	got := planned.Plan.Changes[0].Attributes[0].After.Text
	if !strings.Contains(got, "StrictHostKeyChecking=yes") || !strings.HasSuffix(got, "> <> <> <True> <ssh> <True>\"") {
		t.Errorf("ssh gets %s", got)
	}
}
