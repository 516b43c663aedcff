package pulumi

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/pulumi/pulumitest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func (b bench) project() string { return filepath.Join(b.Job.ManagerDir, "web", projectFile) }

// edit changes the project.
func (b bench) edit(t *testing.T, old, changed string) {
	t.Helper()
	content, err := os.ReadFile(b.project())
	if err != nil || !strings.Contains(string(content), old) {
		t.Fatalf("no %q in it: %v", old, err)
	}
	terraformtest.WriteFile(t, b.project(), strings.Replace(string(content), old, changed, 1))
}

// apply plans and applies in a run directory of its own.
func (b bench) apply(t *testing.T) (pipeline.Planned, pipeline.Applied) {
	t.Helper()
	b.Job.Dir = filepath.Join(t.TempDir(), "run")
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, b.Job.Log)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, b.Job.Log)
	}
	return planned, applied
}

// TestFailedPlans: what keeps a plan from being made, with the line of variables.yml where the
// tool says enough, and the remedy.
func TestFailedPlans(t *testing.T) {
	t.Parallel()
	pulumitest.Tool(t)
	for name, c := range map[string]struct {
		project string
		change  func(*Options)
		usage   bool
		message string
		line    int // of variables.yml
		remedy  string
	}{
		"missing value": {project: head + "config:\n  size: {type: integer}\n", message: "missing", line: 4, remedy: "add `size:`"},
		"wrong type":    {project: head + "config:\n  name: {type: integer}\n", message: "must be of type", line: 1, remedy: "type integer"},
		"refused value": {project: strings.Replace(demoProgram, "SCRATCH/page", `"${name}/../x"`, 1), message: "leads out of its directory", remedy: "read the output"},
		"other name":    {project: strings.Replace(demoProgram, "name: web", "name: shop", 1), usage: true, message: "has the name", remedy: "write `name: web`"},
		"no YAML":       {project: "name: [", usage: true, message: "is no project", remedy: "correct it"},
		"no language":   {project: strings.Replace(demoProgram, "runtime: yaml", "runtime: cobol", 1), usage: true, message: "pulumi-language-cobol", remedy: "install"},
		"no provider":   {project: strings.ReplaceAll(demoProgram, "metapipetest:", "absent:"), message: "absent", remedy: "pulumi plugin install"},
		"no CLI": {project: demoProgram, usage: true, message: "there is none", remedy: "install the Pulumi CLI", change: func(o *Options) {
			o.BinaryPath, o.Environ = "", []string{"PATH=/nowhere"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := c.change
			if change == nil {
				change = func(*Options) {}
			}
			b := newBench(t, c.project, terraformtest.DefaultVariables, change)
			planned, err := b.Engine.Plan(t.Context(), b.Job)
			var failed *pipeline.FailedError
			var usage *pipeline.UsageError
			next := ""
			switch {
			case errors.As(err, &usage) && c.usage:
				next = usage.Next
			case errors.As(err, &failed) && !c.usage:
				next = failed.Next + failed.Operator
			default:
				t.Fatalf("it ends as %v", err)
			}
			if !strings.Contains(err.Error(), c.message) || !strings.Contains(next, c.remedy) || len(planned.Artifacts) > 0 {
				t.Errorf("it says %v (%s)", err, next)
			}
			if c.line > 0 && (len(planned.Plan.Diagnostics) == 0 || planned.Plan.Diagnostics[0].Source.Line != c.line) {
				t.Errorf("it is about %+v", planned.Plan.Diagnostics)
			}
		})
	}
}

// TestChanges: the model of updates, replacements and deletions, with the values that the tool
// says, and none of those that are secret.
func TestChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoProgram+`  token: {"fn::secret": "open-sesame"}
`, terraformtest.DefaultVariables)
	b.edit(t, "outputs:", `  gone:
    type: metapipetest:index:File
    properties: {path: `+b.scratch+`/gone, secret: {"fn::secret": "open-sesame-1"}}
  moved:
    type: metapipetest:index:File
    properties: {path: `+b.scratch+`/old}
outputs:`)
	planned, applied := b.apply(t)
	if planned.Plan.Counts != (pipeline.Counts{Create: 3}) || len(applied.Done) != 3 || applied.State.Resources != 3 || len(applied.Outputs) != 2 || !applied.Outputs[1].Sensitive || applied.Outputs[0].Value != "19" {
		t.Errorf("planned %+v, applied %+v", planned.Plan.Counts, applied)
	}
	b.edit(t, "/old}", "/new}")
	b.edit(t, "${name} in", "${name} is in")
	b.edit(t, "  gone:", "  kept:")
	b.edit(t, "/gone,", "/kept,")
	planned, applied = b.apply(t)
	if planned.Plan.Counts != (pipeline.Counts{Create: 1, Update: 1, Replace: 1, Delete: 1}) || len(applied.Done) != 4 {
		t.Errorf("planned %+v, applied %+v", planned.Plan.Counts, applied.Done)
	}
	for _, change := range planned.Plan.Changes {
		for _, a := range change.Attributes {
			if strings.HasSuffix(change.Address, "::page") && a.Path == "content" && (a.Before.Text != `"demo in eu-staging"` || a.After.Text != `"demo is in eu-staging"`) {
				t.Errorf("page changes %+v", a)
			}
			if strings.HasSuffix(change.Address, "::moved") && a.Path == "path" && !a.ForcesReplacement {
				t.Errorf("moved changes %+v", a)
			}
			if a.Path == "secret" && (!a.Before.Sensitive && !a.After.Sensitive || a.Before.Text+a.After.Text != "") {
				t.Errorf("%s shows %+v", change.Address, a)
			}
		}
	}
	b.edit(t, "open-sesame-1", "open-sesame-2")
	planned, _ = b.apply(t)
	if planned.Plan.Counts != (pipeline.Counts{Update: 1}) || len(planned.Plan.Changes[0].Attributes) != 1 || !planned.Plan.Changes[0].Attributes[0].After.Sensitive {
		t.Errorf("a secret that changes: %+v", planned.Plan)
	}
}

// TestDrift: what was changed outside of the tool is shown, with what puts it back.
func TestDrift(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoProgram, terraformtest.DefaultVariables)
	b.apply(t)
	page := filepath.Join(b.scratch, "page")
	terraformtest.WriteFile(t, page, "someone\n")
	planned, err := b.Engine.(*Engine).PlanReadOnly(t.Context(), b.Job)
	if err != nil || len(planned.Plan.Drift) != 1 || !planned.Plan.Drift[0].Relevant || len(planned.Plan.Changes) != 1 || !planned.Plan.Changes[0].Reverts {
		t.Fatalf("planned %+v: %v", planned.Plan, err)
	}
	// The plan is applied, although the file is gone since: something else would be done.
	plan := enginetest.Stored(t, planned)
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, plan)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !strings.Contains(failed.Message, "violates plan") || !strings.Contains(failed.Operator, "new plan") || isFile(page) {
		t.Errorf("applied %+v: %v", applied, err)
	}
	planned, _ = b.apply(t)
	if planned.Plan.Counts != (pipeline.Counts{Create: 1}) || !isFile(page) {
		t.Errorf("planned %+v", planned.Plan.Counts)
	}
}

// TestDestroy: a destroy says that it is a prediction, and leaves no state.
func TestDestroy(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoProgram, terraformtest.DefaultVariables)
	b.apply(t)
	b.Job.Destroy = true
	planned, applied := b.apply(t)
	if planned.Plan.Exactness != pipeline.ExactnessPredicted || planned.Plan.Counts != (pipeline.Counts{Delete: 1}) || len(planned.Plan.Outputs) != 1 || planned.Plan.Outputs[0].Action != pipeline.ActionDelete {
		t.Errorf("planned %+v", planned.Plan)
	}
	if !applied.State.LeftNothing() || !applied.State.IsNone() || len(applied.Done) != 1 || isFile(filepath.Join(b.scratch, "page")) {
		t.Errorf("applied %+v", applied)
	}
	b.Job.Destroy = false
	if planned, _ := b.apply(t); planned.Plan.Counts != (pipeline.Counts{Create: 1}) {
		t.Errorf("after the destroy: %+v", planned.Plan.Counts)
	}
}

// TestSettingsOfEnvironment: the provider's file for an environment comes first, and cannot
// hold what metapipe chooses.
func TestSettingsOfEnvironment(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoProgram, terraformtest.DefaultVariables)
	file := filepath.Join(b.Job.ManagerDir, "web", "Pulumi.staging.yaml")
	terraformtest.WriteFile(t, file, "config:\n  web:name: fixed\n  aws:region: eu-central-1\n")
	b.apply(t)
	if content, err := os.ReadFile(filepath.Join(b.scratch, "page")); err != nil || string(content) != "fixed in eu-staging\n" {
		t.Errorf("the program got %q: %v", content, err)
	}
	for _, text := range []string{"encryptionsalt: v1:x\n", "secretsprovider: awskms://x\n", "config:\n  token: {secure: v1:x}\n", "config: [1]\n", "a: [\n"} {
		terraformtest.WriteFile(t, file, text)
		var usage *pipeline.UsageError
		if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &usage) || usage.Next == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestKeys: a state opens under each key that is at hand, also an older one, and under no other.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]bench{"with secrets": newBench(t, secretProgram, secretVariables), "without": newBench(t, demoProgram, terraformtest.DefaultVariables)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testKeys(t, b)
		})
	}
}

func testKeys(t *testing.T, b bench) {
	t.Helper()
	b.apply(t)
	with := func(passphrases ...string) *Engine {
		o := b.Engine.(*Engine).options
		o.Passphrases = func(context.Context, pipeline.Job) ([]string, error) { return passphrases, nil }
		return New(o)
	}
	planned, err := with("new", "passphrase-of-the-tests").Plan(t.Context(), b.Job)
	if err != nil || planned.Plan.HasChanges() {
		t.Errorf("with the older key: %+v %v", planned.Plan, err)
	}
	var refused *pipeline.RefusedError
	if older, err := with("new", "passphrase-of-the-tests").NeedsOlderKey(t.Context(), b.Job); err != nil || !older {
		t.Errorf("before it is encrypted anew: %v %v", older, err)
	}
	if _, err := with("new").Plan(t.Context(), b.Job); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonUnknownKey || !strings.Contains(refused.Operator, "METAPIPE_KEY") {
		t.Errorf("without it: %v", err)
	}
	// The next apply encrypts the secrets under the first key.
	b.edit(t, "/page", "/moved")
	rotated := b
	rotated.Engine = with("new", "passphrase-of-the-tests")
	_, applied := rotated.apply(t)
	if older, err := with("new", "passphrase-of-the-tests").NeedsOlderKey(t.Context(), b.Job); err != nil || older {
		t.Errorf("after the apply: %v %v", older, err)
	}
	planned, err = with("new").Plan(t.Context(), b.Job)
	if err != nil || planned.Plan.HasChanges() || planned.Found() != *applied.State {
		t.Errorf("with the new key alone: %+v %v", planned.Plan, err)
	}
}

// TestStates: a state that is none, or is that of another stack, is refused and stays as it is.
func TestStates(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoProgram, terraformtest.DefaultVariables)
	b.apply(t)
	p, err := b.Engine.(*Engine).placeOf(b.Job)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, p.stateKey())
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now, size, err := b.Engine.(*Engine).State(t.Context(), b.Job)
	if err != nil || size != int64(len(whole)) || now.Resources != 1 || !strings.HasPrefix(now.Lineage, "organization/web/acme.staging@20") {
		t.Errorf("the state is %+v: %v", now, err)
	}
	for name, content := range map[string]string{"empty": "", "cut": string(whole[:len(whole)/2]), "other": strings.ReplaceAll(string(whole), "web/acme.staging", "web/crm.staging"), "text": "hello"} {
		terraformtest.WriteFile(t, file, content)
		var refused *pipeline.RefusedError
		if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadFile(file); err != nil || string(left) != content {
			t.Errorf("%s: it was written: %v", name, err)
		}
	}
}

// TestLocks: a locked state is planned for reading alone, and exactly the lock that is named is
// released, once its process is gone.
func TestLocks(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoProgram, terraformtest.DefaultVariables)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	engine := b.Engine.(*Engine)
	p, err := engine.placeOf(b.Job)
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, p.lockPrefix(), "0a1b.json")
	lock := func(pid string) {
		terraformtest.WriteFile(t, file, `{"pid":`+pid+`,"username":"root","hostname":"`+host+`","timestamp":"2026-12-01T04:05:06.7Z"}`)
	}
	lock("1")
	if found, err := engine.FindLock(t.Context(), b.Job); err != nil || found == nil || found.ID != "0a1b" || found.Who != "root@"+host || found.Created.Year() != 2026 {
		t.Errorf("found %+v: %v", found, err)
	}
	b.Forget(t)
	var refused *pipeline.RefusedError
	for name, err := range map[string]error{"plan": second(engine.Plan(t.Context(), b.Job)), "apply": second(engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned)))} {
		if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonLocked || !strings.Contains(refused.Message, "root@"+host) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if commands, _ := b.Calls(t); len(commands) > 0 {
		t.Errorf("it ran %q", commands)
	}
	if _, err := engine.PlanReadOnly(t.Context(), b.Job); err != nil {
		t.Errorf("read-only: %v", err)
	}
	if err := engine.ReleaseLock(t.Context(), b.Job, "0a1b"); !errors.As(err, &refused) || !isFile(file) {
		t.Errorf("the lock of a process that lives: %v", err)
	}
	lock("4194304")
	if err := engine.ReleaseLock(t.Context(), b.Job, "ffff"); err == nil || !isFile(file) {
		t.Errorf("another lock: %v", err)
	}
	if err := engine.ReleaseLock(t.Context(), b.Job, "0a1b"); err != nil || isFile(file) {
		t.Errorf("its lock: %v", err)
	}
	if err := engine.ReleaseLock(t.Context(), b.Job, "0a1b"); err != nil {
		t.Errorf("a lock that is gone: %v", err)
	}
	terraformtest.WriteFile(t, file, "not a record")
	if found, err := engine.FindLock(t.Context(), b.Job); err != nil || found == nil || found.ID != "0a1b" {
		t.Errorf("a damaged record is no lock: %+v %v", found, err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestKilledRun: the CLI is killed in the middle of an update. What it leaves is a lock and a
// pending operation; once the lock is released, the next plan names the operation, and its
// apply goes on.
func TestKilledRun(t *testing.T) {
	t.Parallel()
	finish := filepath.Join(t.TempDir(), "finish")
	b := newBench(t, slowProgram(finish), terraformtest.DefaultVariables)
	t.Cleanup(func() { _ = os.WriteFile(finish, nil, 0o600) })
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	recorder := enginetest.Recorder{Dir: filepath.Dir(b.Engine.(*Engine).options.BinaryPath)}
	go func() {
		for !isFile(filepath.Join(b.scratch, "second")) && t.Context().Err() == nil {
			continue
		}
		recorder.Kill(t)
		if err := os.WriteFile(finish, nil, 0o600); err != nil {
			t.Error(err)
		}
	}()
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	if err == nil || len(applied.Done) != 2 || applied.Done[0].Unfinished || !applied.Done[1].Unfinished {
		t.Errorf("applied %+v: %v", applied.Done, err)
	}
	engine := b.Engine.(*Engine)
	lock, err := engine.FindLock(t.Context(), b.Job)
	if err != nil || lock == nil {
		t.Fatalf("it left the lock %+v: %v", lock, err)
	}
	if err := engine.ReleaseLock(t.Context(), b.Job, lock.ID); err != nil {
		t.Fatal(err)
	}
	b.Job.Dir = filepath.Join(t.TempDir(), "run")
	planned, err = b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Job.Log)
	}
	said := ""
	for _, d := range planned.Plan.Diagnostics {
		said += d.Summary + d.Detail
	}
	if !strings.Contains(said, "stopped while it was creating metapipetest:index:File::second") || planned.Plan.Counts != (pipeline.Counts{Create: 2}) {
		t.Errorf("planned %+v: %s", planned.Plan.Counts, said)
	}
	if _, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned)); err != nil {
		t.Errorf("%v\n%s", err, b.Job.Log)
	}
	if after, err := readCheckpoint([]byte(b.State(t))); err != nil || len(after.Checkpoint.Latest.Pending) > 0 || after.record().Resources != 3 {
		t.Errorf("the state after: %+v %v", after.record(), err)
	}
}
