package terraformtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Document is a pipeline.Document over yaml.v3 nodes: enough to find lines.
type Document struct {
	file string
	root *yaml.Node
}

func ParseDocument(t testing.TB, text string) Document {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	return NewDocument(node.Content[0])
}

// NewDocument is a document with the file name of a customer.
func NewDocument(root *yaml.Node) Document { return Document{"infra/variables.yml", root} }

func (d Document) Environments() []pipeline.DeclaredEnvironment { return nil }

func (d Document) Locate(path ...string) (pipeline.Position, bool) {
	node, line, column := d.root, d.root.Line, d.root.Column
steps:
	for i, step := range path {
		switch node.Kind {
		case yaml.MappingNode:
			for j := 0; j < len(node.Content); j += 2 {
				if node.Content[j].Value == step {
					line, column = node.Content[j].Line, node.Content[j].Column
					node = node.Content[j+1]
					continue steps
				}
			}
		case yaml.SequenceNode:
			if n, err := strconv.Atoi(step); err == nil && n < len(node.Content) {
				node = node.Content[n]
				line, column = node.Line, node.Column
				continue steps
			}
		}
		_ = i
		return pipeline.Position{File: d.file, Line: line, Column: column}, false
	}
	return pipeline.Position{File: d.file, Line: line, Column: column}, true
}

func (d Document) Effective(env pipeline.Environment) (pipeline.EffectiveConfig, error) {
	source, err := yaml.Marshal(d.root)
	if err != nil {
		return pipeline.EffectiveConfig{}, err
	}
	source = bytes.ReplaceAll(source, []byte("{{ environment }}"), []byte(env))
	var whole map[string]any
	if err := yaml.Unmarshal(source, &whole); err != nil {
		return pipeline.EffectiveConfig{}, err
	}
	config := pipeline.EffectiveConfig{Source: source, Values: map[string]json.RawMessage{}}
	if config.Whole, err = json.Marshal(whole); err != nil {
		return config, err
	}
	for name, value := range whole {
		if config.Values[name], err = json.Marshal(value); err != nil {
			return config, err
		}
	}
	environments, _ := whole["environments"].(map[string]any)
	own, _ := environments[string(env)].(map[string]any)
	for name, value := range own {
		if config.Values[name], err = json.Marshal(value); err != nil {
			return config, err
		}
	}
	return config, nil
}

// Tool is a binary to test with.
type Tool struct{ Name, Path string }

// FindTool looks for a tool to test with: METAPIPE_TEST_TERRAFORM and
// METAPIPE_TEST_TOFU, then PATH, then the cache that `make tools` fills.
func FindTool(name string) (Tool, bool) {
	path, found := enginetest.FindTool(name)
	return Tool{name, path}, found
}

// WithTools runs a test once for each tool.
func WithTools(t *testing.T, test func(t *testing.T, tool Tool)) {
	t.Helper()
	for _, name := range []string{"terraform", "tofu"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool, ok := FindTool(name)
			if !ok {
				t.Skipf("no %s here: put one into PATH, run `make tools`, or set METAPIPE_TEST_%s", name, strings.ToUpper(name))
			}
			test(t, tool)
		})
	}
}

func NewMAC() hash.Hash { return hmac.New(sha256.New, []byte("a key")) }

// LogBuffer is a log that several goroutines may use.
type LogBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*LogBuffer)(nil)

const DefaultVariables = `name: demo
list: [1, 2]
environments:
  staging:
    region: "eu-{{ environment }}"
    max_instances: 2
  production:
    region: us
`

// NewJob makes a manager directory from files (path → content) and a job on it.
func NewJob(t *testing.T, tool Tool, variables string, files map[string]string) pipeline.Job {
	t.Helper()
	manager := t.TempDir()
	for name, content := range files {
		WriteFile(t, filepath.Join(manager, name), content)
	}
	return pipeline.Job{
		Customer: pipeline.Customer{
			Name:       "acme",
			Repository: pipeline.Slug{Owner: "acme", Name: "shop"},
			Root:       "terraform",
			File:       "customers/acme.yml",
			Manager: pipeline.Manager{
				Tool:   pipeline.ToolRule{Name: tool.Name},
				Limits: pipeline.Limits{PlanTimeout: time.Minute, ApplyTimeout: time.Minute},
			},
		},
		Environment: "staging",
		Variables:   ParseDocument(t, variables),
		ManagerDir:  manager,
		Dir:         filepath.Join(t.TempDir(), "run"),
		Backend:     LocalBackend(filepath.Join(t.TempDir(), "state", "terraform.tfstate")),
		Salt:        "the salt of the tests",
		MAC:         NewMAC,
		Log:         &LogBuffer{},
	}
}

func LocalBackend(path string) pipeline.Backend {
	return pipeline.Backend{Type: pipeline.BackendLocal, Config: map[string]string{"path": path}}
}

func WriteFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Stored is what a store would give back of a plan.
func Stored(planned pipeline.Planned) pipeline.StoredPlan {
	digests, err := planned.Artifacts.Digests("")
	if err != nil {
		panic("a plan without its files: " + err.Error())
	}
	return pipeline.StoredPlan{Artifacts: maps.Clone(planned.Artifacts), Receipt: pipeline.Receipt{Artifacts: digests, Evidence: maps.Clone(planned.Evidence)}}
}
