package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// GivenVariables is the file with the variables of a root that another service runs. Terraform reads files of this
// form by itself, the last one by its name last, so it goes before what the root has.
// https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence
const GivenVariables = "zzzz_metapipe.auto.tfvars.json"

// GivenFiles are the names of files in a root that Given may return.
func GivenFiles() []string {
	return []string{module.SourceVariables, module.BackendOverride, GivenVariables}
}

// Given is what a root module gets for one target where another service runs it: files, and those variables that are
// plain texts, numbers and booleans. It is what a workspace gets, in the forms that need no flags of the tool.
type Given struct {
	Files     map[string][]byte
	Plain     map[string]string
	Sensitive map[string]bool // variables that the root declares so
}

// GivenFor reads the root in the manager directory. needed are the outputs of other stacks as JSON texts. The backend
// is left out where it is zero. A root that the values cannot serve is an error.
func GivenFor(dir, root, tool string, c pipeline.Customer, env pipeline.Environment, config pipeline.EffectiveConfig, needed map[pipeline.StackName]map[string]string, backend pipeline.Backend) (Given, error) {
	m, err := module.ReadRoot(filepath.Join(dir, filepath.FromSlash(root)), tool)
	if err != nil {
		return Given{}, err
	}
	if err := m.Refusal(root); err != nil {
		return Given{}, err
	}
	values, err := givenValues(m, root, c, env, config, needed)
	if err != nil {
		return Given{}, err
	}
	g := Given{Files: map[string][]byte{module.SourceVariables: config.Source}, Plain: map[string]string{}, Sensitive: map[string]bool{}}
	for name, value := range values {
		g.Sensitive[name] = m.Variables[name].Sensitive
		if text, plain := plainText(value); plain {
			g.Plain[name] = text
		}
	}
	if g.Files[GivenVariables], err = json.MarshalIndent(values, "", " "); err != nil {
		return Given{}, err
	}
	if backend.Zero() {
		return g, nil
	}
	block := map[string]any{"terraform": map[string]any{"backend": map[string]any{backend.Type: backend.Config}}}
	g.Files[module.BackendOverride], err = json.Marshal(block)
	return g, err
}

// givenValues are those of the variables that the root declares.
func givenValues(m module.Root, root string, c pipeline.Customer, env pipeline.Environment, config pipeline.EffectiveConfig, needed map[pipeline.StackName]map[string]string) (map[string]json.RawMessage, error) {
	fed := map[string]json.RawMessage{"config": config.Whole}
	for name, value := range config.Values {
		if !module.OwnVariable(name) {
			fed[name] = value
		}
	}
	for name, text := range map[string]string{"source_repo": c.Repository.String(), "environment": string(env)} {
		raw, err := json.Marshal(text)
		if err != nil {
			return nil, err
		}
		fed[name] = raw
	}
	for stack, outputs := range needed {
		object := map[string]json.RawMessage{}
		for name, value := range outputs {
			object[name] = json.RawMessage(value)
		}
		raw, err := json.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("the outputs of %s: %w", stack, err)
		}
		fed[string(stack)] = raw
	}
	values := map[string]json.RawMessage{}
	var missing []string
	for name, variable := range m.Variables {
		if value, has := fed[name]; has {
			values[name] = value
		} else if variable.Required {
			missing = append(missing, fmt.Sprintf("%s/%s:%d: variable %q has neither a value nor a default", root, variable.File, variable.Line, name))
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("%s", strings.Join(missing, "; "))
	}
	return values, nil
}

// plainText is a value as a variable of the environment holds it. Terraform takes that as it stands only for plain
// values: it would read others as its own language.
func plainText(value json.RawMessage) (string, bool) {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "", false
	}
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return fmt.Sprint(x), true
	}
	return "", false
}
