package pulumi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// projectFile is the file of a project in the root of its stack.
const projectFile = "Pulumi.yaml"

// project is what metapipe reads of a Pulumi.yaml.
type project struct {
	name    string
	runtime string
	line    int                    // of the name
	backend int                    // line of the backend that it names; 0: none
	inputs  map[string]declaration // by key
}

// declaration is one key below `config`.
type declaration struct {
	line     int
	kind     string // string, integer, boolean, array or object; empty: not said
	secret   bool
	optional bool // it has a default
	fixed    bool // the project sets it itself
}

// settable reports whether metapipe passes a value for the key: those of other namespaces are
// settings of providers, which the project sets itself.
func settable(key string, d declaration) bool { return !d.fixed && !strings.Contains(key, ":") }

// readProject reads the Pulumi.yaml of a root.
func readProject(dir string) (project, error) {
	content, err := os.ReadFile(filepath.Join(dir, projectFile))
	if err != nil {
		return project{}, err
	}
	return parseProject(content)
}

// meant is what a node stands for, where it stands: an alias has the text of its name.
func meant(n yaml.Node) yaml.Node {
	if n.Kind != yaml.AliasNode {
		return n
	}
	value := *n.Alias
	value.Line, value.Column = n.Line, n.Column
	return value
}

func parseProject(content []byte) (project, error) {
	var raw struct {
		Name    yaml.Node            `yaml:"name"`
		Runtime yaml.Node            `yaml:"runtime"`
		Backend yaml.Node            `yaml:"backend"`
		Config  map[string]yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(content, &raw); err != nil {
		return project{}, err
	}
	raw.Name, raw.Runtime = meant(raw.Name), meant(raw.Runtime)
	p := project{name: raw.Name.Value, line: max(raw.Name.Line, 1), backend: raw.Backend.Line, runtime: raw.Runtime.Value, inputs: map[string]declaration{}}
	if raw.Runtime.Kind == yaml.MappingNode {
		var runtime struct {
			Name string `yaml:"name"`
		}
		if err := raw.Runtime.Decode(&runtime); err != nil {
			return p, err
		}
		p.runtime = runtime.Name
	}
	if p.name == "" || p.runtime == "" {
		return p, errors.New("it names no project or no runtime")
	}
	for key, node := range raw.Config {
		node = meant(node)
		d := declaration{line: node.Line, fixed: node.Kind != yaml.MappingNode}
		if node.Kind == yaml.MappingNode {
			var said struct {
				Type    string    `yaml:"type"`
				Secret  bool      `yaml:"secret"`
				Default yaml.Node `yaml:"default"`
				Value   yaml.Node `yaml:"value"`
			}
			if err := node.Decode(&said); err != nil {
				return p, err
			}
			d.kind, d.secret = strings.ToLower(said.Type), said.Secret
			d.optional, d.fixed = said.Default.Kind != 0, said.Value.Kind != 0
		}
		// A key of the project itself may be written with its namespace.
		p.inputs[strings.TrimPrefix(key, p.name+":")] = d
	}
	return p, nil
}

// inputName is a key that metapipe passes a value for.
var inputName = text.Pattern(`^[A-Za-z_][A-Za-z0-9_-]{0,200}$`)

// The inputs that metapipe itself sets.
const (
	inputConfig      = "config"
	inputCustomer    = "customer"
	inputEnvironment = "environment"
	inputRepository  = "source_repo"
)

func ownInputs() []string {
	return []string{inputConfig, inputCustomer, inputEnvironment, inputRepository}
}

// The rules of what keeps a plan from using a root.
const (
	ruleNoProject = "no-project"
	ruleSyntax    = "pulumi-syntax"
	ruleSettings  = "pulumi-settings"
	ruleInput     = "pulumi-input"
)

// CheckRoot implements pipeline.RootReader.
func (*Engine) CheckRoot(dir, root, _ string) (problems pipeline.Problems, parsed bool) {
	file := path.Join(root, projectFile)
	p, err := readProject(filepath.Join(dir, filepath.FromSlash(root)))
	if errors.Is(err, fs.ErrNotExist) {
		return pipeline.Problems{{Position: pipeline.Position{File: file}, Rule: ruleNoProject, Message: "the root of a stack of Pulumi holds no " + projectFile,
			Remedy: "write the project of the stack there"}}, false
	}
	if err != nil {
		return pipeline.Problems{{Position: pipeline.Position{File: file, Line: 1}, Rule: ruleSyntax, Message: fmt.Sprintf("it is no project of Pulumi: %v", err), Remedy: "correct it"}}, false
	}
	for _, key := range p.names() {
		if !inputName().MatchString(key) && settable(key, p.inputs[key]) {
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: file, Line: p.inputs[key].line}, Rule: ruleInput,
				Message: fmt.Sprintf("the key %s of config is no name that a value can be passed for", pipeline.Quote(key)), Remedy: "use letters, digits, _ and -"})
		}
	}
	if p.backend > 0 {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: file, Line: p.backend}, Rule: ruleSettings, Warning: true,
			Message: "backend has no effect: each target has a state backend of its own, beside its other objects", Remedy: "remove it"})
	}
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(root)))
	if err != nil {
		return append(problems, pipeline.Problem{Position: pipeline.Position{File: root}, Rule: ruleSyntax, Message: err.Error(), Remedy: "make it a directory that can be read"}), false
	}
	for _, entry := range entries {
		if name, isSettings := stackSettings(entry.Name()); isSettings {
			problems = append(problems, checkSettings(filepath.Join(dir, filepath.FromSlash(root)), root, entry.Name(), name)...)
		}
	}
	return problems, problems.Err() == nil
}

// CheckStacks implements pipeline.StackReader: the project has the name of its stack, and settings are those of environments.
func (*Engine) CheckStacks(dir, root string, m pipeline.Manager) (problems pipeline.Problems) {
	at := filepath.Join(dir, filepath.FromSlash(root))
	p, err := readProject(at)
	if err != nil {
		return nil // CheckRoot says so
	}
	for _, stack := range m.Stacks {
		if stack.Root == root && p.name != string(stack.Name) {
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: path.Join(root, projectFile), Line: p.line}, Rule: ruleSettings,
				Message: fmt.Sprintf("the project has the name %s, and its stack in metapipe.yml the name %s", pipeline.Quote(p.name), stack.Name),
				Remedy:  fmt.Sprintf("write name: %s", stack.Name)})
		}
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		return problems
	}
	var known []string
	for _, e := range m.Environments {
		known = append(known, string(e.Name))
	}
	for _, entry := range entries {
		name, isSettings := stackSettings(entry.Name())
		if !isSettings || strings.Contains(name, ".") || slices.Contains(known, name) {
			continue
		}
		remedy := "rename it to that of an environment, or remove it"
		if like := pipeline.Nearest(name, known); like != "" {
			remedy = "did you mean " + settingsFile(pipeline.Environment(like)) + "?"
		}
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: path.Join(root, entry.Name()), Line: 1}, Rule: ruleSettings, Warning: true,
			Message: fmt.Sprintf("it has no effect: metapipe.yml has no environment %s", pipeline.Quote(name)), Remedy: remedy})
	}
	return problems
}

// checkSettings looks at a file of settings, as the plan of its environment does.
func checkSettings(dir, root, file, name string) pipeline.Problems {
	at := pipeline.Position{File: path.Join(root, file), Line: 1}
	if strings.Contains(name, ".") {
		return pipeline.Problems{{Position: at, Rule: ruleSettings, Warning: true,
			Message: "it has no effect: metapipe reads settings of a whole environment alone, from " + settingsFile("<environment>"),
			Remedy:  "move what it sets to such a file, or remove it"}}
	}
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return pipeline.Problems{{Position: at, Rule: ruleSettings, Message: fmt.Sprintf("it cannot be read: %v", text.FileError(err)), Remedy: "make it a file that can be read"}}
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return pipeline.Problems{{Position: at, Rule: ruleSettings, Message: fmt.Sprintf("it is no YAML: %v", err), Remedy: "correct it"}}
	}
	var problems pipeline.Problems
	for _, settings := range document.Content {
		for i := 0; i+1 < len(settings.Content); i += 2 {
			if key := settings.Content[i]; key.Value != settingsKey {
				problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: at.File, Line: key.Line}, Rule: ruleSettings,
					Message: unusedSetting(key.Value), Remedy: "remove the key"})
			}
		}
	}
	return problems
}

// settingsKey is the one key of a file of settings that metapipe reads.
const settingsKey = "config"

func unusedSetting(key string) string {
	return fmt.Sprintf("it has the key %s, and metapipe itself chooses everything but `config`", pipeline.Quote(key))
}

// names are the declared keys in their order.
func (p project) names() []string {
	var names []string
	for key := range p.inputs {
		names = append(names, key)
	}
	slices.Sort(names)
	return names
}

// RootVariables implements pipeline.RootReader: the keys below config that the project
// declares and does not set itself.
func (*Engine) RootVariables(dir, root, _ string) (map[string]bool, error) {
	p, err := readProject(filepath.Join(dir, filepath.FromSlash(root)))
	if err != nil {
		return nil, err
	}
	variables := map[string]bool{}
	for key, d := range p.inputs {
		if settable(key, d) && !slices.Contains(ownInputs(), key) {
			variables[key] = !d.optional
		}
	}
	return variables, nil
}

// OwnVariable implements pipeline.RootReader.
func (*Engine) OwnVariable(name string) bool { return slices.Contains(ownInputs(), name) }

// CheckTree implements pipeline.RootReader.
func (*Engine) CheckTree(ctx context.Context, dir, root, stateDir string) (pipeline.Problems, error) {
	return tree.CheckTree(ctx, dir, root, stateDir, nil)
}

// settingsFile is the file of the provider's settings for an environment.
func settingsFile(environment pipeline.Environment) string {
	return fmt.Sprintf("Pulumi.%s.yaml", environment)
}

// stackSettings is what stands between Pulumi. and .yaml in the name of such a file.
func stackSettings(file string) (string, bool) {
	name, isYAML := strings.CutSuffix(file, ".yaml")
	name, isStack := strings.CutPrefix(name, "Pulumi.")
	return name, isYAML && isStack && name != ""
}
