package variables

import (
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// RuleClosedVariable is the rule of a key that would set a variable which is not the
// customer's to set.
const RuleClosedVariable = "closed-variable"

// RuleNeededVariable is the rule of a key that would set the variable of a needed stack.
const RuleNeededVariable = "needed-variable"

// AnyVariable in Settable.Open opens every variable.
const AnyVariable = "*"

// Settable says which variables of a root module a customer's file may set: those
// that the schema names at the place of the key, and those of Open. Without a schema
// it is those that have no default and that no tfvars file of the root sets, since the manager's code asks for their values.
type Settable struct {
	Declared map[string]bool // variables of the root module; true: it has no default
	Schema   *Schema
	Open     []string // names, or AnyVariable
	// Needed are the variables that hold the outputs of needed stacks. Nothing opens them.
	Needed []string
	// SchemaFile is the path of the schema, for remedies; empty when there is none.
	SchemaFile string
}

// Check reports each key at the top level or of an environment that sets another
// variable. Text that is no map at all has no such key.
func (s Settable) Check(file string, raw []byte, limits pipeline.Limits) pipeline.Problems {
	d := Outline(file, raw, limits)
	if d == nil {
		return nil
	}
	problems := s.layer(d, nil, d.root)
	if all := d.root.Get(environmentsKey); all != nil && all.Kind == strictyaml.Object {
		for _, env := range all.Entries {
			if env.Value.Kind == strictyaml.Object {
				problems = append(problems, s.layer(d, []string{environmentsKey, env.Key}, env.Value)...)
			}
		}
	}
	return problems
}

func (s Settable) layer(d *Document, path []string, layer *strictyaml.Node) pipeline.Problems {
	var problems pipeline.Problems
	where := "the top level"
	if len(path) > 0 {
		where = path[0] + "." + strictyaml.Short(path[1])
	}
	for _, e := range layer.Entries {
		if slices.Contains(s.Needed, e.Key) {
			problems = append(problems, d.problem(e.KeyPlace(), RuleNeededVariable,
				fmt.Sprintf("%q at %s sets the variable that holds the outputs of the stack %s", strictyaml.Short(e.Key), where, e.Key), "remove it, or give the key another name")...)
			continue
		}
		if s.allows(path, e.Key) {
			continue
		}
		remedy := "remove it"
		switch {
		case s.Schema != nil && (s.Schema.Names(nil, e.Key) || s.Schema.Names([]string{environmentsKey, "x"}, e.Key)):
			remedy += "; the schema names this variable at another place"
		case s.SchemaFile != "":
			remedy += "; the manager's maintainers open a variable by naming it in " + s.SchemaFile + ", or in customer_variables of metapipe.yml"
		default:
			remedy += "; the manager's maintainers open a variable by naming it in a schema, or in customer_variables of metapipe.yml"
		}
		problems = append(problems, d.problem(e.KeyPlace(), RuleClosedVariable,
			fmt.Sprintf("%q at %s sets a variable of the manager's code that customers may not set", strictyaml.Short(e.Key), where), remedy)...)
	}
	return problems
}

// allows reports whether a key is no variable, or one that the customer may set.
func (s Settable) allows(path []string, key string) bool {
	required, declared := s.Declared[key]
	switch {
	case !declared, slices.Contains(s.Open, key), slices.Contains(s.Open, AnyVariable):
		return true
	case len(path) == 0 && key == environmentsKey: // every file has it
		return true
	case s.Schema == nil:
		return required
	}
	return s.Schema.Names(path, key)
}
