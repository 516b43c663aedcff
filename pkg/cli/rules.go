package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// rules are what the manager's checkout says of customers' files, for all commands:
// its schemas and the variables of its root modules, each read once.
type rules struct {
	dir string

	mu       sync.Mutex
	compiled map[string]*variables.Schema
	roots    map[[2]string]map[string]bool // by root and tool
}

func newRules(dir string) *rules {
	return &rules{dir: dir, compiled: map[string]*variables.Schema{}, roots: map[[2]string]map[string]bool{}}
}

// parse reads variables.yml under the rules of the manager.
func (m *manager) parse(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
	d, problems := m.rules.parse(c, file, raw)
	if d == nil {
		return nil, problems
	}
	return d, problems
}

// read reads a customer's file in dir. What it advises where the file is missing passes
// the rules of the manager.
func (r *rules) read(c pipeline.Customer, dir, file string) ([]byte, pipeline.Problems) {
	schema, problems := r.schema(c.Manager.Schema)
	if problems != nil {
		return nil, problems
	}
	return variables.ReadFile(dir, file, c.Manager.Limits, schema, c.Allowed())
}

// parse is the one way to read a customer's file under the rules of a manager. The
// document is nil when a problem is an error.
func (r *rules) parse(c pipeline.Customer, file string, raw []byte) (*variables.Document, pipeline.Problems) {
	schema, problems := r.schema(c.Manager.Schema)
	if problems != nil {
		return nil, problems
	}
	d, problems := variables.ParseFor(file, raw, c.Manager.Limits, schema, c.Allowed())
	settable := variables.Settable{Declared: r.declared(c), Schema: schema, SchemaFile: c.Manager.Schema, Open: c.Manager.CustomerVariables, Needed: neededVariables(c)}
	for _, p := range settable.Check(file, raw, c.Manager.Limits) {
		// A closed schema has its own words for the same key.
		if !slices.ContainsFunc(problems, func(q pipeline.Problem) bool { return q.Position == p.Position && !q.Warning }) {
			problems = append(problems, p)
		}
	}
	if problems.Err() != nil {
		return nil, problems
	}
	return d, problems
}

// neededVariables are the variables that hold the outputs of stacks which others of the
// customer need.
func neededVariables(c pipeline.Customer) []string {
	var names []string
	for _, stack := range c.StackNames() {
		for _, needed := range c.Manager.NeedsOf(stack) {
			names = append(names, string(needed))
		}
	}
	return names
}

// declared are the variables of the root modules of the customer's stacks, and whether
// customers may set them: not if one of the roots gives it a value. A root that cannot be
// read has none here: it cannot be planned either.
func (r *rules) declared(c pipeline.Customer) map[string]bool {
	stacks := c.StackNames()
	if len(stacks) == 1 {
		return r.ofStack(c, stacks[0])
	}
	all := map[string]bool{}
	for _, stack := range stacks {
		for name, needed := range r.ofStack(c, stack) {
			before, known := all[name]
			all[name] = needed && (before || !known)
		}
	}
	return all
}

func (r *rules) ofStack(c pipeline.Customer, stack pipeline.StackName) map[string]bool {
	root, tool, err := c.Module(stack)
	if err != nil {
		return nil
	}
	found := r.variables(root, tool.Name)
	engine, err := newEngine(tool.Name, engineOptions{})
	reader, is := engine.(pipeline.NeedsReader)
	if needs := c.Manager.NeedsOf(stack); err == nil && is && len(needs) > 0 {
		found = maps.Clone(found) // the same root may serve a stack with other needs
		for name, required := range found {
			found[name] = required && !reader.HoldsOutput(name, needs)
		}
	}
	return found
}

// variables are those of one root module; nil where it cannot be read.
func (r *rules) variables(root, tool string) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [2]string{root, tool}
	found, known := r.roots[key]
	if !known {
		if reader, err := rootReader(tool); err == nil {
			if names, err := reader.RootVariables(r.dir, root, tool); err == nil {
				found = names
			}
		}
		r.roots[key] = found
	}
	return found
}

// schema compiles a schema of the manager; nil for an empty path.
func (r *rules) schema(path string) (*variables.Schema, pipeline.Problems) {
	if path == "" {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if schema, ok := r.compiled[path]; ok {
		return schema, nil
	}
	raw, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(path)))
	var schema *variables.Schema
	if err == nil {
		schema, err = variables.Compile(path, raw)
	}
	if err != nil {
		return nil, variables.SchemaProblems(path, err)
	}
	r.compiled[path] = schema
	return schema, nil
}

// ruleOpenSchema is the rule of a manager that says too little about what customers
// may write.
const ruleOpenSchema = "open-schema"

// openness warns of keys that no schema has a say in.
func (r *rules) openness(m pipeline.Manager) pipeline.Problems {
	warn := func(file, message, remedy string) pipeline.Problems {
		return pipeline.Problems{{Position: pipeline.Position{File: file}, Rule: ruleOpenSchema, Message: message, Remedy: remedy, Warning: true}}
	}
	if slices.Contains(m.CustomerVariables, variables.AnyVariable) {
		return warn(config.ManagerFile, "customer_variables is \"*\": customers may set every variable of the root modules, also those with a default of yours",
			"list the variables that are meant for customers")
	}
	if m.Schema == "" {
		return nil // reported as missing
	}
	schema, problems := r.schema(m.Schema)
	if problems != nil {
		return nil // reported where it is compiled
	}
	for _, at := range []struct {
		path []string
		name string
	}{{nil, "at the top level"}, {[]string{"environments", "staging"}, "of an environment"}} {
		if !schema.Closed(at.path) {
			problems = append(problems, warn(m.Schema, fmt.Sprintf("the schema lets keys %s through that it does not name", at.name),
				"set additionalProperties to false there; such keys reach Terraform in config, but set no variable")...)
		}
	}
	return problems
}
