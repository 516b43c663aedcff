package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// victimVariable names the file of a job for a process that is to be killed.
const victimVariable = "TEST_VICTIM"

// TestMain lets the test binary stand in for the tool, and ends the cluster of the tests.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(enginetest.Record(filepath.Dir(os.Args[0]), func(command string) bool { return command == "apply" }))
	}
	if file := os.Getenv(victimVariable); file != "" {
		os.Exit(victim(file))
	}
	os.Exit(kubernetestest.Run(m))
}

const demoManifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  name: "{{ config.name }}"
  place: "{{ config.region }} of {{ customer }}"
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  selector: {app: web}
  ports: [{port: 80, protocol: TCP}]
`

// kubeconfigVariable holds the kubeconfig in these tests.
const kubeconfigVariable = "TEST_CLUSTER"

// bench is a target in a namespace of its own.
type bench struct {
	enginetest.Bench
	*kubernetestest.Cluster
	namespace string
	recorder  enginetest.Recorder
}

func newBench(t *testing.T, tool, manifest string) bench {
	t.Helper()
	c := kubernetestest.Start(t)
	r, path := enginetest.NewRecorder(t, kubernetestest.Tool(t, program))
	namespace := c.Namespace(t, "acme")
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: tool}, terraformtest.DefaultVariables, map[string]string{"app/manifests/all.yaml": manifest})
	job.Customer.Root = "app"
	job.Backend = pipeline.Backend{}
	job.Customer.Manager.Limits = pipeline.Limits{PlanTimeout: 3 * time.Minute, ApplyTimeout: 3 * time.Minute}
	job.Customer.Manager.Tool.Kubernetes = pipeline.KubernetesRule{Kubeconfig: kubeconfigVariable, Namespace: pipeline.Template(namespace)}
	o := Options{Environ: []string{"PATH=" + os.Getenv("PATH"), kubeconfigVariable + "=" + c.Kubeconfig(kubernetestest.AdminToken), "KUBECONFIG=/nowhere", "HTTPS_PROXY=http://127.0.0.1:1"}, BinaryPath: path}
	b := bench{Cluster: c, namespace: namespace, recorder: r}
	calls := func(t *testing.T) ([]string, int) {
		t.Helper()
		commands, signals := r.Calls(t)
		return slices.DeleteFunc(commands, func(c string) bool { return c == "version" }), signals // which changes nothing
	}
	b.Bench = enginetest.Bench{Engine: New(o), Job: job, State: b.state, Calls: calls, Forget: r.Forget}
	return b
}

// state is what the ConfigMaps of the namespace hold, the inventory included.
func (b bench) state(t *testing.T) string {
	t.Helper()
	items, _ := b.Do(t, http.MethodGet, "/api/v1/namespaces/"+b.namespace+"/configmaps", "")["items"].([]any)
	var all strings.Builder
	for _, item := range items {
		o, _ := item.(map[string]any)
		fmt.Fprintf(&all, "%s: %v\n", textAt(o, "metadata", "name"), o["data"])
	}
	return all.String()
}

func configMaps(names ...string) string {
	var all strings.Builder
	for _, name := range names {
		fmt.Fprintf(&all, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {x: \"1\"}\n", name)
	}
	return all.String()
}

// slow is a target whose second object waits until finish is called.
func slow(t *testing.T, tool string) (b bench, begun func() bool, finish func()) {
	t.Helper()
	b = newBench(t, tool, configMaps("first", "second", "third"))
	released, started := make(chan struct{}), atomic.Bool{}
	b.Webhook(t, b.namespace, func(r kubernetestest.Review) string {
		if r.Name == "second" {
			started.Store(true)
			<-released
		}
		return ""
	})
	finish = sync.OnceFunc(func() { close(released) })
	t.Cleanup(finish)
	return b, started.Load, finish
}

const secretManifest = `apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData:
  password: open-sesame-1
  short: "7"
data:
  more: b3Blbi1zZXNhbWUtMg==
`

// TestConformance holds what each engine must do; see enginetest.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{toolName, crossplaneName} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			kubernetestest.Start(t)
			enginetest.Run(t, subject(tool))
		})
	}
}

func subject(tool string) enginetest.Subject {
	return enginetest.Subject{
		Salted: []string{evidenceVariables},
		New:    func(t *testing.T) enginetest.Bench { return newBench(t, tool, demoManifest).Bench },
		Differ: func(t *testing.T, b *enginetest.Bench) {
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "app", "manifests", "more.yaml"), configMaps("more"))
		},
		KeptWithResources: true,
		Changes:           changesAtApply(),
		Secret:            func(t *testing.T) enginetest.Bench { return newBench(t, tool, secretManifest).Bench },
		Marked:            "open-sesame",
		Failing: func(t *testing.T) enginetest.Bench {
			b := newBench(t, tool, secretManifest+configMaps("denied"))
			b.Webhook(t, b.namespace, func(r kubernetestest.Review) string {
				if r.Name == "denied" {
					return "it is open-sesame-1 and b3Blbi1zZXNhbWUtMg=="
				}
				return ""
			})
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "app", "outputs.yml"), "password: {object: Secret/hidden, path: data.password}\n")
			return b.Bench
		},
		Slow: func(t *testing.T) (enginetest.Bench, func() bool, func(*testing.T)) {
			b, begun, _ := slow(t, tool)
			return b.Bench, begun, func(t *testing.T) {
				b.recorder.Kill(t)
			}
		},
		Victim: func(t *testing.T) (enginetest.Bench, *exec.Cmd, func() bool, func(*testing.T)) {
			b, begun, finish := slow(t, tool)
			return b.Bench, victimOf(t, b), begun, func(*testing.T) { finish() }
		},
		Outputs: func(t *testing.T) (enginetest.Bench, []pipeline.OutputValue) {
			b := newBench(t, tool, demoManifest+"---\n"+secretManifest)
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "app", "outputs.yml"),
				"password: {object: Secret/hidden, path: data.password}\nname: {object: ConfigMap/settings, path: data.name}\nport: {object: Service/web, path: \"spec.ports[0].port\"}\n")
			return b.Bench, []pipeline.OutputValue{{Name: "name", Value: json.RawMessage(`"demo"`)}, {Name: "password", Value: json.RawMessage(`"open-sesame-1"`), Sensitive: true}, {Name: "port", Value: json.RawMessage(`80`)}}
		},
	}
}

// changesAtApply are refused before the tool runs, but for the cluster, which only it sees.
func changesAtApply() map[string]enginetest.Change {
	evidence := func(name, value string, want pipeline.Reason) enginetest.Change {
		return enginetest.Change{Want: want, Make: func(_ *testing.T, _ *enginetest.Bench, plan *pipeline.StoredPlan) {
			plan.Receipt.Evidence[name] = value
		}}
	}
	other := strings.Repeat("0", 64)
	inCluster := func(change func(t *testing.T, c *kubernetestest.Cluster, namespace string)) enginetest.Change {
		return enginetest.Change{Want: pipeline.ReasonStaleState, Late: true, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			change(t, kubernetestest.Start(t), string(b.Job.Customer.Manager.Tool.Kubernetes.Namespace))
		}}
	}
	lateState := evidence("state_lineage", "x", pipeline.ReasonStaleState)
	lateState.Late = true
	lateSerial := evidence("state_serial", "7", pipeline.ReasonStaleState)
	lateSerial.Late = true
	return map[string]enginetest.Change{
		"manager": {Want: pipeline.ReasonStaleManager, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "modules", "new.txt"), "")
		}},
		"manifests":     evidence(evidenceManifests, other, pipeline.ReasonTampered),
		"cluster":       evidence(evidenceCluster, other, pipeline.ReasonStaleState),
		"state lineage": lateState,
		"state serial":  lateSerial,
		"variables": {Want: pipeline.ReasonStaleVariables, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			b.Job.Variables = terraformtest.ParseDocument(t, strings.Replace(terraformtest.DefaultVariables, "name: demo", "name: other", 1))
		}},
		"tool version": evidence("tool_version", "1.2.3", pipeline.ReasonOtherTool),
		"tool name":    evidence("tool", "other", pipeline.ReasonOtherTool),
		"an object that is there by now": inCluster(func(t *testing.T, c *kubernetestest.Cluster, namespace string) {
			c.Do(t, http.MethodPost, "/api/v1/namespaces/"+namespace+"/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"}}`)
		}),
	}
}

type victimJob struct{ Tool, Kubectl, Manager, Run, Kubeconfig, Namespace string }

// victim plans and applies in a process of its own.
func victim(file string) int {
	var v victimJob
	b, err := os.ReadFile(filepath.Clean(file))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	var node yaml.Node
	if err == nil {
		err = yaml.Unmarshal([]byte(terraformtest.DefaultVariables), &node)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rule := pipeline.ToolRule{Name: v.Tool, Kubernetes: pipeline.KubernetesRule{Kubeconfig: kubeconfigVariable, Namespace: pipeline.Template(v.Namespace)}}
	job := pipeline.Job{
		Customer:    pipeline.Customer{Name: "acme", Repository: pipeline.Slug{Owner: "acme", Name: "shop"}, Root: "app", Manager: pipeline.Manager{Tool: rule}},
		Environment: "staging", Variables: terraformtest.NewDocument(node.Content[0]), ManagerDir: v.Manager, Dir: v.Run,
	}
	engine := New(Options{Environ: []string{kubeconfigVariable + "=" + v.Kubeconfig}, BinaryPath: v.Kubectl})
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
	content, err := json.Marshal(victimJob{b.Job.Tool().Name, b.Engine.(*Engine).options.BinaryPath, b.Job.ManagerDir, b.Job.Dir, b.Kubeconfig(kubernetestest.AdminToken), b.namespace})
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
