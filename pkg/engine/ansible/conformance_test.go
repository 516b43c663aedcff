package ansible

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/ansible/ansibletest"
	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// victimVariable names the file of a job for a process that is to be killed.
const victimVariable = "TEST_VICTIM"

// TestMain lets the test binary stand in for the tool.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(enginetest.Record(filepath.Dir(os.Args[0]), func(command string) bool { return command != "--version" }))
	}
	if file := os.Getenv(victimVariable); file != "" {
		os.Exit(victim(file))
	}
	os.Exit(m.Run())
}

// scratch stands in a playbook for the directory that it writes to.
const scratch = "SCRATCH"

const head = `- name: hosts
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: directory
      ansible.builtin.file: {path: "SCRATCH", state: directory, mode: "0755"}
`

const demoPlaybook = head + `    - name: page
      ansible.builtin.copy: {dest: "SCRATCH/{{ inventory_hostname }}", content: "{{ config.name }} in {{ config.region }}\n", mode: "0644"}
`

const inventory = "all: {hosts: {web1: }}\n"

// vaulted is the password of the vault in these tests, and what it hides.
const (
	vaultPassword = "vault-password-1"
	vaultSecret   = "open-sesame-1"
)

// bench is a target whose root has a playbook.
type bench struct {
	enginetest.Bench
	scratch string
}

func newBench(t *testing.T, playbook string, change ...func(*Options)) bench {
	t.Helper()
	r, path := enginetest.NewRecorder(t, ansibletest.Tool(t))
	made := filepath.Join(t.TempDir(), "made")
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: toolName}, terraformtest.DefaultVariables, map[string]string{
		"hosts/site.yml": strings.ReplaceAll(playbook, scratch, made), "hosts/inventory.yml": inventory,
	})
	job.Customer.Root = "hosts"
	job.Backend = pipeline.Backend{}
	job.Customer.Manager.Limits = pipeline.Limits{PlanTimeout: 3 * time.Minute, ApplyTimeout: 3 * time.Minute}
	o := Options{Environ: []string{"PATH=" + os.Getenv("PATH"), "HOSTS_VAULT=" + vaultPassword, "GITHUB_TOKEN=ghs_token", "ANSIBLE_HOST_KEY_CHECKING=False"}, BinaryPath: path}
	for _, c := range change {
		c(&o)
	}
	state := func(t *testing.T) string {
		t.Helper()
		var all strings.Builder
		err := filepath.WalkDir(made, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(file)
			fmt.Fprintf(&all, "%s: %s\n", file, content)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return all.String()
	}
	calls := func(t *testing.T) ([]string, int) {
		t.Helper()
		commands, signals := r.Calls(t)
		return slices.DeleteFunc(commands, func(c string) bool { return c == "--version" }), signals // which changes nothing
	}
	return bench{enginetest.Bench{Engine: New(o), Job: job, State: state, Calls: calls, Forget: r.Forget}, made}
}

// vault encrypts a value as a variable of a play.
func vault(t *testing.T, name, value string) string {
	t.Helper()
	ansibletest.Tool(t)
	password := filepath.Join(t.TempDir(), "password")
	terraformtest.WriteFile(t, password, vaultPassword)
	cmd := exec.CommandContext(t.Context(), "ansible-vault", "encrypt_string", "--vault-password-file", password, "-n", name, value)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return "  vars:\n    " + strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "\n    ") + "\n"
}

// encrypt encrypts a file as a whole.
func encrypt(t *testing.T, file string) {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	terraformtest.WriteFile(t, password, vaultPassword)
	cmd := exec.CommandContext(t.Context(), "ansible-vault", "encrypt", "--vault-password-file", password, file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func withVault(t *testing.T, tasks string) bench {
	t.Helper()
	playbook := strings.Replace(head, "  tasks:\n", vault(t, "secret", vaultSecret)+"  tasks:\n", 1)
	b := newBench(t, playbook+tasks)
	b.Job.Customer.Manager.Tool.Ansible.VaultPassword = "HOSTS_VAULT"
	return b
}

// slowTasks go on until a file is there, and change something before and after.
func slowTasks(started, finish string) string {
	wait := fmt.Sprintf("touch %s; while [ -e %s ] && [ ! -e %s ]; do sleep 0.05; done; touch SCRATCH/done", started, started, finish)
	return head + `    - name: first
      ansible.builtin.copy: {dest: "SCRATCH/first", content: "1", mode: "0644"}
    - name: wait
      ansible.builtin.command: {cmd: "sh -c '` + wait + `'", creates: SCRATCH/done}
    - name: last
      ansible.builtin.copy: {dest: "SCRATCH/last", content: "1", mode: "0644"}
`
}

// TestConformance holds what each engine must do; see enginetest.
func TestConformance(t *testing.T) {
	t.Parallel()
	ansibletest.Tool(t)
	secretTasks := `    - name: hidden
      no_log: true
      ansible.builtin.copy: {dest: "SCRATCH/hidden", content: "hidden-open-sesame-2", mode: "0600"}
    - name: shown
      ansible.builtin.copy: {dest: "SCRATCH/{{ inventory_hostname }}", content: "password={{ secret }}\n", mode: "0600"}
    - name: printed
      ansible.builtin.debug: {msg: "{{ secret }}"}
`
	enginetest.Run(t, enginetest.Subject{
		Salted: []string{evidenceVariables, evidenceInventory},
		New:    func(t *testing.T) enginetest.Bench { return newBench(t, demoPlaybook).Bench },
		Differ: func(t *testing.T, b *enginetest.Bench) {
			file := filepath.Join(b.Job.ManagerDir, "hosts", "site.yml")
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			made := strings.SplitN(strings.SplitN(string(content), `path: "`, 2)[1], `"`, 2)[0]
			terraformtest.WriteFile(t, file, string(content)+"    - name: more\n      ansible.builtin.copy: {dest: \""+made+"/more\", content: more, mode: \"0644\"}\n")
		},
		Changes: changesAtApply(),
		Secret:  func(t *testing.T) enginetest.Bench { return withVault(t, secretTasks).Bench },
		Failing: func(t *testing.T) enginetest.Bench {
			return withVault(t, "    - name: bad\n      ansible.builtin.fail: {msg: \"it is {{ secret }}\"}\n      when: not ansible_check_mode\n").Bench
		},
		Marked: "open-sesame",
		Slow: func(t *testing.T) (enginetest.Bench, func() bool, func(*testing.T)) {
			started, finish := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "finish")
			b := newBench(t, slowTasks(started, finish))
			t.Cleanup(func() { _ = os.WriteFile(finish, nil, 0o600) }) // what the tool had started ends, too
			recorder := enginetest.Recorder{Dir: filepath.Dir(b.Engine.(*Engine).options.BinaryPath)}
			return b.Bench, func() bool { return isFile(started) }, func(t *testing.T) {
				recorder.Kill(t)
				terraformtest.WriteFile(t, finish, "")
			}
		},
		Victim: func(t *testing.T) (enginetest.Bench, *exec.Cmd, func() bool, func(*testing.T)) {
			started, finish := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "finish")
			b := newBench(t, slowTasks(started, finish))
			return b.Bench, victimOf(t, b), func() bool { return isFile(started) }, func(t *testing.T) { terraformtest.WriteFile(t, finish, "") }
		},
	})
}

// changesAtApply are refused before the tool runs, but for the hosts, which only it sees.
func changesAtApply() map[string]enginetest.Change {
	evidence := func(name, value string, want pipeline.Reason) enginetest.Change {
		return enginetest.Change{Want: want, Make: func(_ *testing.T, _ *enginetest.Bench, plan *pipeline.StoredPlan) {
			plan.Receipt.Evidence[name] = value
		}}
	}
	other := strings.Repeat("0", 64)
	return map[string]enginetest.Change{
		"manager": {Want: pipeline.ReasonStaleManager, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "roles", "new.yml"), "")
		}},
		"playbook":      evidence(evidencePlaybook, other, pipeline.ReasonTampered),
		"collections":   evidence(evidenceCollections, other, pipeline.ReasonTampered),
		"inventory":     evidence(evidenceInventory, other, pipeline.ReasonStaleState),
		"state lineage": evidence("state_lineage", "x", pipeline.ReasonTampered),
		"variables": {Want: pipeline.ReasonStaleVariables, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			b.Job.Variables = terraformtest.ParseDocument(t, strings.Replace(terraformtest.DefaultVariables, "name: demo", "name: other", 1))
		}},
		"tool version": evidence("tool_version", "2.0.1", pipeline.ReasonOtherTool),
		"tool name":    evidence("tool", "other", pipeline.ReasonOtherTool),
		"hosts": {Want: pipeline.ReasonStaleState, Late: true, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			content, err := os.ReadFile(filepath.Join(b.Job.ManagerDir, "hosts", "site.yml"))
			if err != nil {
				t.Fatal(err)
			}
			made := strings.SplitN(strings.SplitN(string(content), `path: "`, 2)[1], `"`, 2)[0]
			terraformtest.WriteFile(t, filepath.Join(made, "web1"), "someone else was here\n")
		}},
	}
}

type victimJob struct{ Tool, Manager, Run, Variables string }

// victim plans and applies in a process of its own.
func victim(file string) int {
	var v victimJob
	b, err := os.ReadFile(filepath.Clean(file))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	var node yaml.Node
	if err == nil {
		err = yaml.Unmarshal([]byte(v.Variables), &node)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	job := pipeline.Job{
		Customer:    pipeline.Customer{Name: "acme", Root: "hosts", Manager: pipeline.Manager{Tool: pipeline.ToolRule{Name: toolName}}},
		Environment: "staging", Variables: terraformtest.NewDocument(node.Content[0]), ManagerDir: v.Manager, Dir: v.Run,
	}
	engine := New(Options{Environ: os.Environ(), BinaryPath: v.Tool})
	planned, err := engine.Plan(context.Background(), job)
	if err == nil {
		_, err = engine.Apply(context.Background(), job, terraformtest.Stored(planned))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func victimOf(t *testing.T, b bench) *exec.Cmd {
	t.Helper()
	content, err := json.Marshal(victimJob{b.Engine.(*Engine).options.BinaryPath, b.Job.ManagerDir, b.Job.Dir, terraformtest.DefaultVariables})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "job.json")
	terraformtest.WriteFile(t, file, string(content))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimVariable+"="+file)
	return cmd
}
