// Package enginetest is what every engine must do, whatever its tool: the tests of an
// engine run it.
package enginetest

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Bench is an engine with one target, made anew for each test. Its log is a fmt.Stringer.
type Bench struct {
	Engine pipeline.Engine
	Job    pipeline.Job
	// State is what the target's state holds, in clear; empty: there is none.
	State func(t *testing.T) string
	// Calls are the commands that the tool was started with since Forget, and the signals
	// that it got.
	Calls  func(t *testing.T) (commands []string, signals int)
	Forget func(t *testing.T)
}

// Change is something that differs between a plan and its apply.
type Change struct {
	Make func(t *testing.T, b *Bench, plan *pipeline.StoredPlan)
	Want pipeline.Reason
	// Late: only the tool itself shows it, so that it runs. It applies nothing all the same.
	Late bool
}

// Subject is an engine that is tested.
type Subject struct {
	// New makes a target without a state whose plan has changes.
	New func(t *testing.T) Bench
	// Differ changes the configuration of a target so that its plan does something else.
	Differ func(t *testing.T, b *Bench)
	// Changes are refused at apply: of the tool, the manager tree, the state, and of what
	// else the evidence of this engine names.
	Changes map[string]Change
	// Secret makes a target that holds the text Marked in the places that the tool marks.
	Secret func(t *testing.T) Bench
	Marked string
	// Failing makes such a target whose apply fails, with Marked in the error of the tool.
	Failing func(t *testing.T) Bench
	// Slow makes a target whose apply goes on for ever after its first change. begun
	// reports that it has got so far, kill ends the tool as the kernel would.
	Slow func(t *testing.T) (b Bench, begun func() bool, kill func(t *testing.T))
	// Victim makes a target like that of Slow, and a process that plans and applies it with
	// this engine. finish lets the apply go on to its end.
	Victim func(t *testing.T) (b Bench, process *exec.Cmd, begun func() bool, finish func(t *testing.T))
	// Unwritable makes a target that has a state, and whose next apply cannot write it until
	// mend is called; nil where the tool keeps no state. Bench.State is what the tool has built
	// then.
	Unwritable func(t *testing.T) (b Bench, mend func(t *testing.T))
	// WritesAhead: the tool notes in the state what it begins before it begins it. So it changes
	// nothing where that cannot be written, and there is no other copy of the state.
	WritesAhead bool
	// KeptWithResources: Unwritable is nil although there is a state, since the tool keeps it with
	// what it builds.
	KeptWithResources bool
	// Outputs makes a target whose plan has changes and that puts out want once it is applied,
	// none of it known before; nil where the engine is no pipeline.OutputReader. Failing has
	// outputs then, too.
	Outputs func(t *testing.T) (b Bench, want []pipeline.OutputValue)
	// Salted names the evidence that is a digest of values, whoever wrote them.
	Salted []string
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Helper()
	tests := map[string]func(*testing.T, Subject){
		"plan writes nothing":          planWritesNothing,
		"plan and apply":               planAndApply,
		"equal fingerprints":           equalFingerprints,
		"refusals":                     refusals,
		"damaged artifacts":            damagedArtifacts,
		"salted evidence":              saltedEvidence,
		"secrets":                      secrets,
		"secrets of a failure":         secretsOfFailure,
		"cancelled":                    cancelled,
		"cancelled before it ran":      cancelledBefore,
		"killed tool":                  killedTool,
		"own process killed":           killedProcess,
		"state that cannot be written": unwrittenState,
	}
	if s.WritesAhead {
		tests["state that cannot be written"] = stateWrittenAhead
	}
	if s.Unwritable == nil {
		delete(tests, "state that cannot be written")
		tests["no state"] = noState
	}
	if s.KeptWithResources {
		delete(tests, "no state")
		tests["state with its resources"] = keptState
	}
	maps.Copy(tests, ofCapabilities(s.New(t).Engine))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// Stored is what deploy would give back of a plan: its artifacts, and a receipt that says
// what the engine has said.
func Stored(t *testing.T, planned pipeline.Planned) pipeline.StoredPlan {
	t.Helper()
	digests, err := planned.Artifacts.Digests("")
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.StoredPlan{Artifacts: maps.Clone(planned.Artifacts), Receipt: pipeline.Receipt{
		Version: pipeline.ReceiptVersion, Exactness: planned.Plan.Exactness, Artifacts: digests, Evidence: maps.Clone(planned.Evidence)}}
}

// saltedEvidence: a receipt does not let its readers try out the values of a plan. What the engine names, and each digest
// of an artifact, depends on the salt.
func saltedEvidence(t *testing.T, s Subject) {
	b := s.New(t)
	b.Job.Salt = "one"
	first := b.plan(t)
	b = b.again(t)
	b.Job.Salt = "two"
	second := b.plan(t).Evidence
	for _, name := range s.Salted {
		if one := first.Evidence[name]; one == "" || one == second[name] {
			t.Errorf("%s is %q with one salt and %q with another", name, one, second[name])
		}
	}
	one, err := first.Artifacts.Digests("one")
	two, errTwo := first.Artifacts.Digests("two")
	if err != nil || errTwo != nil {
		t.Fatal(err, errTwo)
	}
	for name, digest := range one {
		if digest == "" || digest == two[name] {
			t.Errorf("the artifact %s has the digest %q under two salts", name, digest)
		}
	}
}

func (b Bench) plan(t *testing.T) pipeline.Planned {
	t.Helper()
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, b.log())
	}
	return planned
}

func (b Bench) log() string {
	if log, ok := b.Job.Log.(interface{ String() string }); ok {
		return log.String()
	}
	return ""
}

// again is the bench with another run directory, as another job has it.
func (b Bench) again(t *testing.T) Bench {
	t.Helper()
	b.Job.Dir = filepath.Join(t.TempDir(), "run")
	return b
}

// snapshot is the content of all files below dir, by path.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = string(content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func planWritesNothing(t *testing.T, s Subject) {
	b := s.New(t)
	b.writesNothing(t, b.Engine.Plan)
}

func planAndApply(t *testing.T, s Subject) {
	b := s.New(t)
	planned := b.plan(t)
	if !planned.Plan.HasChanges() || !planned.Plan.Exactness.Known() || len(planned.Artifacts) == 0 || planned.Fingerprint == "" ||
		planned.Evidence.Tool() != planned.Plan.Tool || planned.Evidence.ManagerTree() == "" || planned.Found().Lineage != "" {
		t.Fatalf("planned %+v", planned)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, Stored(t, planned))
	if err != nil || !applied.Started || len(applied.Done) == 0 || applied.ErroredState != "" || applied.State == nil || b.State(t) == "" {
		t.Fatalf("applied %+v: %v\n%s", applied, err, b.log())
	}
	next := b.again(t)
	nothing := next.plan(t)
	if nothing.Plan.HasChanges() || nothing.Plan.Counts != (pipeline.Counts{}) {
		t.Errorf("the plan after the apply: %+v", nothing.Plan)
	}
	if nothing.Found() != *applied.State {
		t.Errorf("the apply says that it has left %+v, and the plan finds %+v", *applied.State, nothing.Found())
	}
	refuse(t, next, Stored(t, planned), pipeline.ReasonStaleState, "the same plan again")
}

func equalFingerprints(t *testing.T, s Subject) {
	b := s.New(t)
	first, second := b.plan(t).Fingerprint, b.again(t).plan(t).Fingerprint
	if first != second {
		t.Errorf("two equal plans have the fingerprints %s and %s", first, second)
	}
	s.Differ(t, &b)
	if third := b.again(t).plan(t).Fingerprint; third == first {
		t.Error("another plan has the same fingerprint")
	}
}

// refuse applies a plan that must be refused, and returns the commands that ran.
func refuse(t *testing.T, b Bench, plan pipeline.StoredPlan, want pipeline.Reason, what string) []string {
	t.Helper()
	before := b.State(t)
	b.Forget(t)
	applied, err := b.Engine.Apply(t.Context(), b.Job, plan)
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != want || refused.Message == "" {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
	if applied.Started || len(applied.Done) > 0 || b.State(t) != before {
		t.Errorf("%s: it was applied all the same: %+v", what, applied)
	}
	commands, _ := b.Calls(t)
	return commands
}

func refusals(t *testing.T, s Subject) {
	unknown := Change{Want: pipeline.ReasonTampered, Make: func(_ *testing.T, _ *Bench, plan *pipeline.StoredPlan) { plan.Receipt.Evidence["approved_by"] = "me" }}
	changes := map[string]Change{"evidence that is not known": unknown}
	maps.Copy(changes, s.Changes)
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := s.New(t)
			plan := Stored(t, b.plan(t))
			c.Make(t, &b, &plan)
			if commands := refuse(t, b, plan, c.Want, name); !c.Late && len(commands) > 0 {
				t.Errorf("it ran %q", commands)
			}
		})
	}
	b := s.New(t)
	planned := b.plan(t)
	for name := range planned.Evidence {
		plan := Stored(t, planned)
		delete(plan.Receipt.Evidence, name)
		if commands := refuse(t, b, plan, pipeline.ReasonTampered, "without the evidence "+name); len(commands) > 0 {
			t.Errorf("without the evidence %s, it ran %q", name, commands)
		}
	}
}

func damagedArtifacts(t *testing.T, s Subject) {
	b := s.New(t)
	planned := b.plan(t)
	for name, file := range planned.Artifacts {
		whole, err := os.ReadFile(filepath.Clean(file))
		if err != nil || len(whole) == 0 {
			t.Fatalf("artifact %s: %v", name, err)
		}
		flipped := append([]byte(nil), whole...)
		flipped[len(flipped)/2] ^= 1
		for what, content := range map[string][]byte{"changed": flipped, "cut": whole[:len(whole)/2], "empty": nil} {
			plan := Stored(t, planned)
			plan.Artifacts[name] = filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(plan.Artifacts[name], content, 0o600); err != nil {
				t.Fatal(err)
			}
			if commands := refuse(t, b, plan, pipeline.ReasonTampered, name+" "+what); len(commands) > 0 {
				t.Errorf("%s %s: it ran %q", name, what, commands)
			}
		}
		plan := Stored(t, planned)
		delete(plan.Artifacts, name)
		refuse(t, b, plan, pipeline.ReasonTampered, "without "+name)
	}
}

// hides reports a text that holds what the tool marks.
func (s Subject) hides(t *testing.T, what, text string) {
	t.Helper()
	if strings.Contains(text, s.Marked) {
		t.Errorf("%s holds the secret:\n%s", what, text)
	}
}
