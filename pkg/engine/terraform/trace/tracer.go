package trace

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Tracer follows expressions of the manager's code back to variables.yml:
// through locals, variables, and arguments of modules in the same tree. What it
// does not understand it leaves alone.
type Tracer struct {
	Input
	scopes map[string]*scope
	// each is the for_each around the failing expression, nil when there is none.
	each    hclsyntax.Expression
	eachKey string // its key, where the tool named it
	// eachScope is where that expression stands.
	eachScope *scope
	self      *hclsyntax.Body // of the resource around the failing expression
	visited   int             // expressions looked at for one diagnostic
}

// Input is what a tracer follows expressions in.
type Input struct {
	Job  pipeline.Job
	Tree string // the copy of the manager directory
	Tool string // "terraform" or "tofu"
	// ManagerPath makes a path that the tool printed relative to the manager directory.
	ManagerPath func(name string) string
	// IsVarsFile reports the file of typed variables that the tool was given.
	IsVarsFile func(name string) bool
	Log        func(line string)
}

// scope is one module directory.
type scope struct {
	dir    string // relative to the tree, with slashes
	locals map[string]hclsyntax.Expression
	calls  []moduleCall
	// callers are the modules that call this one; none for the root.
	callers []caller
	root    bool
	// repeated are the blocks with a for_each.
	repeated []repeated
	// resources are the bodies of managed resources by type.name.
	resources map[string]*hclsyntax.Body
	blocks    []resourceBlock
	outputs   map[string]hclsyntax.Expression // the values of outputs
	sensitive map[string]bool                 // names of variables that are marked so
	variables map[string]*hclsyntax.Body      // the declarations of variables
}

// resourceBlock is where a managed resource or a data source stands.
type resourceBlock struct {
	file     string // relative to the tree
	from, to int    // lines
	body     *hclsyntax.Body
}

type repeated struct {
	file     string // relative to the tree
	from, to int    // lines
	each     hclsyntax.Expression
}

type moduleCall struct {
	name string
	dir  string
	args map[string]hclsyntax.Expression
}

type caller struct {
	scope *scope
	call  moduleCall
}

// place is where a value stands in variables.yml. A typed variable comes from
// the environment's own keys or else from the top level: overlay.
type place struct {
	steps   []string
	overlay bool
}

const (
	maxHops    = 32 // aliases of aliases
	maxModules = 200
	maxVisited = 10_000 // expressions in all, since merge branches
)

func NewTracer(in Input) *Tracer { return &Tracer{Input: in} }

// rootDir is the root module, relative to the tree.
func (t *Tracer) rootDir() string { return path.Clean(filepath.ToSlash(t.Job.Root())) }

// literal is the value of a constant string or number.
func literal(expr hclsyntax.Expression) (string, bool) {
	if len(expr.Variables()) > 0 {
		return "", false
	}
	if _, call := expr.(*hclsyntax.FunctionCallExpr); call {
		return "", false
	}
	value, diags := expr.Value(nil)
	if diags.HasErrors() {
		return "", false
	}
	return keyText(value)
}

func keyText(value cty.Value) (string, bool) {
	if value.IsNull() || !value.IsWhollyKnown() || value.IsMarked() {
		return "", false
	}
	switch value.Type() {
	case cty.String:
		return value.AsString(), true
	case cty.Number:
		if i, accuracy := value.AsBigFloat().Int64(); accuracy == 0 {
			return fmt.Sprint(i), true
		}
	}
	return "", false
}

// text follows a traversal that the tool printed, such as local.config.envs[0].
func (t *Tracer) text(s *scope, traversal string) (place, bool) {
	parsed, diags := hclsyntax.ParseTraversalAbs([]byte(traversal), "", hcl.InitialPos)
	if diags.HasErrors() {
		return place{}, false
	}
	return t.traversal(s, parsed, nil, 0)
}

// expr is where the value comes from that expr has at the steps of rest.
func (t *Tracer) expr(s *scope, expr hclsyntax.Expression, rest []string, hops int) (place, bool) {
	t.visited++
	if hops++; hops > maxHops || t.visited > maxVisited {
		return place{}, false
	}
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return t.expr(s, e.Expression, rest, hops)
	case *hclsyntax.ScopeTraversalExpr:
		return t.traversal(s, e.Traversal, rest, hops)
	case *hclsyntax.RelativeTraversalExpr:
		steps, ok := stepsOf(e.Traversal)
		if !ok {
			return place{}, false
		}
		return t.expr(s, e.Source, join(steps, rest), hops)
	case *hclsyntax.IndexExpr:
		key, ok := t.constant(s, e.Key, hops)
		if !ok {
			return place{}, false
		}
		return t.expr(s, e.Collection, join([]string{key}, rest), hops)
	case *hclsyntax.ObjectConsExpr:
		if item := t.item(s, e, rest, hops); item != nil {
			return t.expr(s, item, rest[1:], hops)
		}
	case *hclsyntax.FunctionCallExpr:
		return t.call(s, e, rest, hops)
	}
	return place{}, false
}

// readsSource reports file("${path.module}/source-variables.yml").
func readsSource(expr hclsyntax.Expression) bool {
	call, ok := expr.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "file" || len(call.Args) != 1 {
		return false
	}
	switch arg := call.Args[0].(type) {
	case *hclsyntax.TemplateExpr:
		if len(arg.Parts) == 0 {
			return false
		}
		last, ok := literal(arg.Parts[len(arg.Parts)-1])
		return ok && path.Base(last) == module.SourceVariables
	default:
		text, ok := literal(arg)
		return ok && path.Base(text) == module.SourceVariables
	}
}

// constant is the value of a literal, or of what leads to var.environment.
func (t *Tracer) constant(s *scope, expr hclsyntax.Expression, hops int) (string, bool) {
	if text, ok := literal(expr); ok {
		return text, true
	}
	if hops++; hops > maxHops {
		return "", false
	}
	if inner, ok := expr.(*hclsyntax.ParenthesesExpr); ok {
		return t.constant(s, inner.Expression, hops)
	}
	traversal, ok := expr.(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(traversal.Traversal) != 2 {
		return "", false
	}
	name, ok := stepOf(traversal.Traversal[1])
	if !ok {
		return "", false
	}
	switch traversal.Traversal.RootName() {
	case "local":
		if e, ok := s.locals[name]; ok {
			return t.constant(s, e, hops)
		}
	case "var":
		if s.root {
			return string(t.Job.Environment), name == "environment"
		}
		for _, c := range s.callers {
			if e, ok := c.call.args[name]; ok {
				return t.constant(c.scope, e, hops)
			}
		}
	}
	return "", false
}

func (t *Tracer) traversal(s *scope, traversal hcl.Traversal, rest []string, hops int) (place, bool) {
	if s == nil || len(traversal) < 2 {
		return place{}, false
	}
	steps, ok := stepsOf(traversal[1:])
	if !ok {
		return place{}, false
	}
	name, rest := steps[0], join(steps[1:], rest)
	switch traversal.RootName() {
	case "local":
		if expr, ok := s.locals[name]; ok {
			return t.expr(s, expr, rest, hops)
		}
	case "var":
		return t.variable(s, name, rest, hops)
	case "each":
		if name == "value" && t.each != nil && s == t.eachScope {
			return t.element(s, rest, hops)
		}
	case "self":
		if t.self != nil && s == t.eachScope {
			return t.argument(s, t.self, join([]string{name}, rest), hops)
		}
	default:
		if body := s.resources[traversal.RootName()+"."+name]; body != nil && body.Attributes["for_each"] == nil {
			return t.argument(s, body, rest, hops)
		}
	}
	return place{}, false
}

// argument follows an attribute of a resource to the argument that sets it. What the
// provider computes leads nowhere.
func (t *Tracer) argument(s *scope, body *hclsyntax.Body, rest []string, hops int) (place, bool) {
	if body.Attributes["count"] != nil && len(rest) > 0 && isDigits(rest[0]) {
		rest = rest[1:]
	}
	if len(rest) == 0 || body.Attributes[rest[0]] == nil {
		return place{}, false
	}
	return t.expr(s, body.Attributes[rest[0]].Expr, rest[1:], hops)
}

// feeds reports whether the customer's file gives the variable of the root a value.
func (t *Tracer) feeds(name string) bool {
	_, top := t.Job.Variables.Locate(name)
	_, own := t.Job.Variables.Locate(t.ownSteps(place{steps: []string{name}})...)
	return top || own
}

// variable is where a variable gets its value. Several calls of a module count
// only when they agree.
func (t *Tracer) variable(s *scope, name string, rest []string, hops int) (place, bool) {
	if s.root {
		switch {
		case name == "config":
			return place{steps: rest}, true
		case module.OwnVariable(name), !t.feeds(name): // ours, or a default of the manager
			return place{}, false
		}
		return place{steps: join([]string{name}, rest), overlay: true}, true
	}
	var from place
	found := false
	for _, c := range s.callers {
		expr, ok := c.call.args[name]
		if !ok {
			return place{}, false
		}
		p, ok := t.expr(c.scope, expr, rest, hops)
		if !ok || found && p.String() != from.String() {
			return place{}, false
		}
		from, found = p, true
	}
	return from, found
}

// stepsOf are the keys of a traversal; a splat has none.
func stepsOf(traversal hcl.Traversal) ([]string, bool) {
	var steps []string
	for _, step := range traversal {
		key, ok := stepOf(step)
		if !ok {
			return nil, false
		}
		steps = append(steps, key)
	}
	return steps, true
}

func join(a, b []string) []string { return append(append([]string(nil), a...), b...) }

func stepOf(step hcl.Traverser) (string, bool) {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		return keyText(s.Key)
	}
	return "", false
}

func (p place) child(key string) place {
	return place{steps: append(append([]string(nil), p.steps...), key), overlay: p.overlay}
}

// String is the place for people: environments.staging.region.
func (p place) String() string { return strings.Join(p.steps, ".") }
