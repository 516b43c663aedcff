package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/cloudformation/cfntest"
	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// victimVariable names the file of a job for a process that is to be killed.
const victimVariable = "TEST_VICTIM"

func TestMain(m *testing.M) {
	if file := os.Getenv(victimVariable); file != "" {
		os.Exit(victim(file))
	}
	os.Exit(m.Run())
}

const demoTemplate = `Parameters:
  Name: {Type: String}
  Region: {Type: String, Default: none}
  Environment: {Type: String}
Resources:
  First:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: !Sub "/${Environment}/first", Value: !Ref Name}
  Second:
    Type: AWS::SNS::Topic
    DependsOn: First
    Properties: {DisplayName: !Sub "${Name} in ${Region}"}
`

// open-sesame is what NoEcho hides in these tests.
const (
	marked          = "open-sesame"
	secretVariables = terraformtest.DefaultVariables + "password: open-sesame-1\n"
	secretTemplate  = `Parameters:
  Password: {Type: String, NoEcho: true}
  Name: {Type: String}
Resources:
  First:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: first, Value: !Ref Name}
  Hidden:
    Type: AWS::SecretsManager::Secret
    DependsOn: First
    Properties: {Name: hidden, SecretString: !Sub "{\"password\":\"${Password}\"}", Description: !Ref Password}
Outputs:
  Plain: {Value: !Ref First}
  Secret: {Value: !Sub "password=${Password}"}
`
)

// bench is a target whose root has a template.
type bench struct {
	enginetest.Bench
	cloud *cfntest.Cloud
	name  string // of the stack
}

func newBench(t *testing.T, template, variables string, change ...func(*Options)) bench {
	t.Helper()
	cloud := cfntest.New(t)
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: toolName}, variables, map[string]string{"stack/template.yml": template})
	job.Customer.Root = "stack"
	job.Backend = pipeline.Backend{}
	job.Customer.Manager.Limits = pipeline.Limits{PlanTimeout: time.Minute, ApplyTimeout: time.Minute, PlanTTL: time.Hour}
	o := Options{Environ: append(cloud.Environ(), "GITHUB_TOKEN=ghs_token"), WaitDelay: 20 * time.Second}
	for _, c := range change {
		c(&o)
	}
	b := bench{cloud: cloud, name: job.Tool().CloudFormation.Name(job.Target())}
	state := func(t *testing.T) string {
		t.Helper()
		var all strings.Builder
		for _, s := range cloud.Stacks() {
			if s.Status == "REVIEW_IN_PROGRESS" {
				continue // it was made for a change set, and holds nothing
			}
			text, err := json.Marshal(s.Resources)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s: %s\n", s.Name, text)
		}
		return all.String()
	}
	calls := func(*testing.T) (commands []string, signals int) {
		commands = cloud.Calls()
		for _, c := range commands {
			if c == "CancelUpdateStack" {
				signals++
			}
		}
		return commands, signals
	}
	b.Bench = enginetest.Bench{Engine: New(o), Job: job, State: state, Calls: calls, Forget: func(*testing.T) { cloud.Forget() }}
	return b
}

// again is the bench with another run directory.
func (b bench) again(t *testing.T) bench {
	t.Helper()
	b.Job.Dir = filepath.Join(t.TempDir(), "run")
	return b
}

func (b bench) plan(t *testing.T) pipeline.Planned {
	t.Helper()
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, b.log())
	}
	return planned
}

func (b bench) apply(t *testing.T) pipeline.Applied {
	t.Helper()
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, b.plan(t)))
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, b.log())
	}
	return applied
}

func (b bench) log() string { return b.Job.Log.(fmt.Stringer).String() }

// with gives the target another template or other variables.
func (b *bench) with(t *testing.T, template, variables string) {
	t.Helper()
	if template != "" {
		terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "stack", "template.yml"), template)
	}
	if variables != "" {
		b.Job.Variables = terraformtest.ParseDocument(t, variables)
	}
}

// slow is a target that is built, and whose update waits at its second change.
func slow(t *testing.T) bench {
	t.Helper()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	b.apply(t)
	b = b.again(t)
	b.with(t, "", strings.Replace(terraformtest.DefaultVariables, "name: demo", "name: other", 1))
	b.cloud.Hold("Second")
	return b
}

// TestConformance holds what each engine must do; see enginetest.
func TestConformance(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Subject{
		Salted: []string{evidenceValues},
		New: func(t *testing.T) enginetest.Bench {
			return newBench(t, demoTemplate, terraformtest.DefaultVariables).Bench
		},
		Differ: func(t *testing.T, b *enginetest.Bench) {
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "stack", "template.yml"), demoTemplate+"  Third:\n    Type: AWS::SNS::Topic\n")
		},
		Changes: changesAtApply(),
		Secret:  func(t *testing.T) enginetest.Bench { return newBench(t, secretTemplate, secretVariables).Bench },
		Failing: func(t *testing.T) enginetest.Bench {
			b := newBench(t, secretTemplate, secretVariables)
			b.cloud.Fail("Hidden", "it is %s")
			return b.Bench
		},
		Marked: marked,
		Slow: func(t *testing.T) (enginetest.Bench, func() bool, func(*testing.T)) {
			b := slow(t)
			return b.Bench, func() bool { return strings.Contains(b.log(), "Second: UPDATE_IN_PROGRESS") }, func(*testing.T) { b.cloud.Die() }
		},
		Victim: func(t *testing.T) (enginetest.Bench, *exec.Cmd, func() bool, func(*testing.T)) {
			b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
			b.cloud.Hold("Second")
			return b.Bench, victimOf(t, b), func() bool { return b.cloud.Reached("Second") }, func(*testing.T) { b.cloud.Release("Second") }
		},
		KeptWithResources: true,
		Outputs: func(t *testing.T) (enginetest.Bench, []pipeline.OutputValue) {
			return newBench(t, secretTemplate, secretVariables).Bench, []pipeline.OutputValue{
				{Name: "Plain", Value: json.RawMessage(`"first"`)}, {Name: "Secret", Value: json.RawMessage(`"password=open-sesame-1"`), Sensitive: true},
			}
		},
	})
}

// changesAtApply are refused before AWS is asked, but for the stack and its change set.
func changesAtApply() map[string]enginetest.Change {
	evidence := func(name, value string, want pipeline.Reason) enginetest.Change {
		return enginetest.Change{Want: want, Make: func(_ *testing.T, _ *enginetest.Bench, plan *pipeline.StoredPlan) {
			plan.Receipt.Evidence[name] = value
		}}
	}
	cloudOf := func(b *enginetest.Bench) (*cfntest.Cloud, string) {
		return clouds(b), b.Job.Tool().CloudFormation.Name(b.Job.Target())
	}
	other := strings.Repeat("0", 64)
	return map[string]enginetest.Change{
		"manager": {Want: pipeline.ReasonStaleManager, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "new.yml"), "")
		}},
		"template":   evidence(evidenceTemplate, other, pipeline.ReasonTampered),
		"stack":      evidence(evidenceStack, "other", pipeline.ReasonTampered),
		"stack id":   evidence(evidenceStackID, "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1", pipeline.ReasonTampered),
		"change set": evidence(evidenceChangeSet, "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/other/1", pipeline.ReasonTampered),
		"parameters": evidence(evidenceValues, other, pipeline.ReasonStaleVariables),
		"variables": {Want: pipeline.ReasonStaleVariables, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			b.Job.Variables = terraformtest.ParseDocument(t, strings.Replace(terraformtest.DefaultVariables, "name: demo", "name: other", 1))
		}},
		"destroy":      {Want: pipeline.ReasonTampered, Make: func(_ *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) { b.Job.Destroy = true }},
		"tool version": evidence("tool_version", "2.0.1", pipeline.ReasonOtherTool),
		"tool name":    evidence("tool", "other", pipeline.ReasonOtherTool),
		"state": {Want: pipeline.ReasonStaleState, Late: true, Make: func(_ *testing.T, _ *enginetest.Bench, plan *pipeline.StoredPlan) {
			plan.Receipt.Evidence.SetState(pipeline.StateVersion{Lineage: "x", Serial: 1})
		}},
		"obsolete": {Want: pipeline.ReasonStaleState, Late: true, Make: func(_ *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			c, name := cloudOf(b)
			c.Obsolete(name)
		}},
		"another account": {Want: pipeline.ReasonStaleState, Late: true, Make: func(_ *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			o := b.Engine.(*Engine).options
			o.Environ = append(slices.Clone(o.Environ), "AWS_ACCESS_KEY_ID="+cfntest.OtherKey)
			b.Engine = New(o)
		}},
		"another region": {Want: pipeline.ReasonStaleState, Late: true, Make: func(_ *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			o := b.Engine.(*Engine).options
			o.Environ = append(slices.Clone(o.Environ), "AWS_REGION=us-east-1")
			b.Engine = New(o)
		}},
	}
}

// clouds finds the server of a bench by its address.
func clouds(b *enginetest.Bench) *cfntest.Cloud {
	return cfntest.At(b.Engine.(*Engine).options.Environ.Get("AWS_ENDPOINT_URL_CLOUDFORMATION"))
}

type victimJob struct {
	Environ                 []string
	Manager, Run, Variables string
}

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
		Customer:    pipeline.Customer{Name: "acme", Repository: pipeline.Slug{Owner: "acme", Name: "shop"}, Root: "stack", Manager: pipeline.Manager{Tool: pipeline.ToolRule{Name: toolName}}},
		Environment: "staging", Variables: terraformtest.NewDocument(node.Content[0]), ManagerDir: v.Manager, Dir: v.Run,
	}
	engine := New(Options{Environ: v.Environ})
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
	content, err := json.Marshal(victimJob{b.Engine.(*Engine).options.Environ, b.Job.ManagerDir, b.Job.Dir, terraformtest.DefaultVariables})
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
	cmd.Stderr = os.Stderr
	return cmd
}
