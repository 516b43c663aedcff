package pulumi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/pulumi/pulumitest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// victimVariable names the file of a job for a process that is to be killed.
const victimVariable = "TEST_VICTIM"

// TestMain lets the test binary stand in for the tool.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(enginetest.Record(filepath.Dir(os.Args[0]), func(command string) bool { return command != "version" }))
	}
	if file := os.Getenv(victimVariable); file != "" {
		os.Exit(victim(file))
	}
	os.Exit(m.Run())
}

// scratch stands in a program for the directory that it writes to.
const scratch = "SCRATCH"

const head = "name: web\nruntime: yaml\n"

const demoProgram = head + `config:
  name: {type: string}
  region: {type: string}
resources:
  page:
    type: metapipetest:index:File
    properties: {path: SCRATCH/page, content: "${name} in ${region}"}
outputs:
  size: ${page.size}
`

const secretProgram = head + `config:
  token: {type: string, secret: true}
resources:
  page:
    type: metapipetest:index:File
    properties: {path: SCRATCH/page, content: "token ${token}", secret: "${token}"}
  own:
    type: metapipetest:index:File
    properties:
      path: SCRATCH/own
      content: {"fn::secret": "open-sesame-2"}
outputs:
  token: ${token}
  own: ${own.content}
`

const failingProgram = head + `config:
  token: {type: string, secret: true}
resources:
  page:
    type: metapipetest:index:File
    properties: {path: SCRATCH/page, fail: "it is ", secret: "${token}"}
outputs:
  token: ${token}
`

const outputsProgram = head + `resources:
  page:
    type: metapipetest:index:File
    properties: {path: SCRATCH/page, content: "1234567"}
outputs:
  cidrs: ["10.0.0.0/16", "${page.size}"]
  id: ${page.id}
  token: {"fn::secret": "s3-hidden ${page.size}"}
`

const secretVariables = terraformtest.DefaultVariables + "token: open-sesame-1\n"

// slowProgram goes on until a file is there, and changes something before and after.
func slowProgram(finish string) string {
	return head + `resources:
  first:
    type: metapipetest:index:File
    properties: {path: SCRATCH/first}
  second:
    type: metapipetest:index:File
    properties: {path: SCRATCH/second, wait: "` + finish + `"}
    options: {dependsOn: ["${first}"]}
  last:
    type: metapipetest:index:File
    properties: {path: SCRATCH/last}
    options: {dependsOn: ["${second}"]}
`
}

// bench is a target whose root has a program.
type bench struct {
	enginetest.Bench
	scratch string
}

func testPassphrase(context.Context, pipeline.Job) ([]string, error) {
	return []string{"passphrase-of-the-tests"}, nil
}

func newBench(t *testing.T, programText, variables string, change ...func(*Options)) bench {
	t.Helper()
	tool, path := pulumitest.Tool(t)
	r, recorded := enginetest.NewRecorder(t, tool)
	made := t.TempDir()
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, variables, map[string]string{"web/Pulumi.yaml": strings.ReplaceAll(programText, scratch, made)})
	job.Stack = "web"
	job.Customer.Manager.Stacks = []pipeline.StackRule{{Name: "web", Root: "web", Tool: pipeline.ToolRule{Name: toolName}}}
	job.Customer.Manager.Limits = pipeline.Limits{PlanTimeout: 3 * time.Minute, ApplyTimeout: 3 * time.Minute}
	o := Options{Environ: []string{"PATH=" + path, "HOME=" + t.TempDir(), "GITHUB_TOKEN=ghs_token", "PULUMI_BACKEND_URL=file:///nowhere", "PULUMI_ACCESS_TOKEN=pul-token"},
		BinaryPath: recorded, Passphrases: testPassphrase}
	for _, c := range change {
		c(&o)
	}
	engine := New(o)
	state := func(t *testing.T) string {
		t.Helper()
		p, err := engine.placeOf(job)
		if err != nil {
			t.Fatal(err)
		}
		content, err := p.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c, err := readCheckpoint(content); content == nil || err == nil && c.record().IsNone() {
			return ""
		}
		return string(content)
	}
	calls := func(t *testing.T) ([]string, int) {
		t.Helper()
		commands, signals := r.Calls(t)
		return slices.DeleteFunc(commands, func(c string) bool { return c == "version" }), signals // which changes nothing
	}
	return bench{enginetest.Bench{Engine: engine, Job: job, State: state, Calls: calls, Forget: r.Forget}, made}
}

// TestConformance holds what each engine must do; see enginetest.
func TestConformance(t *testing.T) {
	t.Parallel()
	pulumitest.Tool(t)
	enginetest.Run(t, enginetest.Subject{
		Salted: []string{evidenceInputs},
		New: func(t *testing.T) enginetest.Bench {
			return newBench(t, demoProgram, terraformtest.DefaultVariables).Bench
		},
		Differ: func(t *testing.T, b *enginetest.Bench) {
			file := filepath.Join(b.Job.ManagerDir, "web", projectFile)
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			terraformtest.WriteFile(t, file, strings.Replace(string(content), "${name} in", "${name} is in", 1))
		},
		Changes: changesAtApply(),
		Outputs: func(t *testing.T) (enginetest.Bench, []pipeline.OutputValue) {
			b := newBench(t, outputsProgram, terraformtest.DefaultVariables)
			known := func(name, value string, sensitive bool) pipeline.OutputValue {
				return pipeline.OutputValue{Name: name, Value: json.RawMessage(value), Sensitive: sensitive}
			}
			return b.Bench, []pipeline.OutputValue{known("cidrs", `["10.0.0.0/16",8]`, false), known("id", fmt.Sprintf("%q", b.scratch+"/page"), false), known("token", `"s3-hidden 8"`, true)}
		},
		Secret:  func(t *testing.T) enginetest.Bench { return newBench(t, secretProgram, secretVariables).Bench },
		Failing: func(t *testing.T) enginetest.Bench { return newBench(t, failingProgram, secretVariables).Bench },
		Marked:  "open-sesame",
		Slow: func(t *testing.T) (enginetest.Bench, func() bool, func(*testing.T)) {
			finish := filepath.Join(t.TempDir(), "finish")
			b := newBench(t, slowProgram(finish), terraformtest.DefaultVariables)
			t.Cleanup(func() { _ = os.WriteFile(finish, nil, 0o600) }) // what the tool had started ends, too
			recorder := enginetest.Recorder{Dir: filepath.Dir(b.Engine.(*Engine).options.BinaryPath)}
			return b.Bench, func() bool { return isFile(filepath.Join(b.scratch, "second")) }, func(t *testing.T) {
				recorder.Kill(t)
				terraformtest.WriteFile(t, finish, "")
			}
		},
		Victim: func(t *testing.T) (enginetest.Bench, *exec.Cmd, func() bool, func(*testing.T)) {
			finish := filepath.Join(t.TempDir(), "finish")
			b := newBench(t, slowProgram(finish), terraformtest.DefaultVariables)
			return b.Bench, victimOf(t, b), func() bool { return isFile(filepath.Join(b.scratch, "second")) }, func(t *testing.T) { terraformtest.WriteFile(t, finish, "") }
		},
		Unwritable:  unwritable,
		WritesAhead: true,
	})
}

// unwritable is a target that is applied, and whose state can then be read and not be written:
// it is compressed, and a directory lies where the CLI writes it plainly.
func unwritable(t *testing.T) (enginetest.Bench, func(*testing.T)) {
	t.Helper()
	b := newBench(t, demoProgram, terraformtest.DefaultVariables)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Engine.(*Engine).placeOf(b.Job)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, p.stateKey())
	plain, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err = w.Write(plain)
	if err := errors.Join(err, w.Close(), os.Remove(file), os.WriteFile(file+".gz", zipped.Bytes(), 0o600), os.MkdirAll(filepath.Join(file, "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
	project := filepath.Join(b.Job.ManagerDir, "web", projectFile)
	content, err := os.ReadFile(project)
	if err != nil {
		t.Fatal(err)
	}
	terraformtest.WriteFile(t, project, strings.Replace(string(content), "${name} in", "${name} is in", 1))
	return b.Bench, func(t *testing.T) {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// changesAtApply are refused before the tool runs.
func changesAtApply() map[string]enginetest.Change {
	evidence := func(name, value string, want pipeline.Reason) enginetest.Change {
		return enginetest.Change{Want: want, Make: func(_ *testing.T, _ *enginetest.Bench, plan *pipeline.StoredPlan) {
			plan.Receipt.Evidence[name] = value
		}}
	}
	return map[string]enginetest.Change{
		"manager": {Want: pipeline.ReasonStaleManager, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "modules", "new"), "")
		}},
		"variables": {Want: pipeline.ReasonStaleVariables, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			b.Job.Variables = terraformtest.ParseDocument(t, strings.Replace(terraformtest.DefaultVariables, "name: demo", "name: other", 1))
		}},
		"plugins": {Want: pipeline.ReasonOtherTool, Make: func(_ *testing.T, _ *enginetest.Bench, plan *pipeline.StoredPlan) {
			plan.Receipt.Evidence[evidencePlugins] = strings.ReplaceAll(plan.Receipt.Evidence[evidencePlugins], "resource metapipetest  ", "resource metapipetest  0")
		}},
		"plugins in another form": evidence(evidencePlugins, "x", pipeline.ReasonTampered),
		"tool version":            evidence("tool_version", "2.0.1", pipeline.ReasonOtherTool),
		"tool name":               evidence("tool", "other", pipeline.ReasonOtherTool),
		"state lineage":           evidence("state_lineage", "x", pipeline.ReasonStaleState),
		"state": {Want: pipeline.ReasonStaleState, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			other := *b
			other.Job.Dir = filepath.Join(t.TempDir(), "run")
			planned, err := other.Engine.Plan(t.Context(), other.Job)
			if err == nil {
				_, err = other.Engine.Apply(t.Context(), other.Job, enginetest.Stored(t, planned))
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
	}
}

type victimJob struct{ Tool, Path, Home, Manager, Run, Variables, State string }

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
		Customer: pipeline.Customer{Name: "acme", Repository: pipeline.Slug{Owner: "acme", Name: "shop"},
			Manager: pipeline.Manager{Stacks: []pipeline.StackRule{{Name: "web", Root: "web", Tool: pipeline.ToolRule{Name: toolName}}}}},
		Environment: "staging", Stack: "web", Variables: terraformtest.NewDocument(node.Content[0]), ManagerDir: v.Manager, Dir: v.Run, Backend: terraformtest.LocalBackend(v.State),
	}
	engine := New(Options{Environ: []string{"PATH=" + v.Path, "HOME=" + v.Home}, BinaryPath: v.Tool, Passphrases: testPassphrase})
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
	o := b.Engine.(*Engine).options
	content, err := json.Marshal(victimJob{o.BinaryPath, o.Environ.Get("PATH"), o.Environ.Get("HOME"), b.Job.ManagerDir, b.Job.Dir, terraformtest.DefaultVariables, b.Job.Backend.Path()})
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
