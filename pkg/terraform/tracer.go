package terraform

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// tracer follows expressions of the manager's code back to variables.yml:
// through locals, variables, and arguments of modules in the same tree. What it
// does not understand it leaves alone.
type tracer struct {
	*workspace
	scopes map[string]*scope
}

// scope is one module directory.
type scope struct {
	dir    string // relative to the tree, with slashes
	locals map[string]hclsyntax.Expression
	calls  []moduleCall
	// callers are the modules that call this one; none for the root.
	callers []caller
	root    bool
}

type moduleCall struct {
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
)

func newTracer(w *workspace) *tracer { return &tracer{workspace: w} }

// rootDir is the root module, relative to the tree.
func (t *tracer) rootDir() string { return path.Clean(filepath.ToSlash(t.job.Customer.Root)) }

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
func (t *tracer) text(s *scope, traversal string) (place, bool) {
	parsed, diags := hclsyntax.ParseTraversalAbs([]byte(traversal), "", hcl.InitialPos)
	if diags.HasErrors() {
		return place{}, false
	}
	return t.traversal(s, parsed, 0)
}

func (t *tracer) expr(s *scope, expr hclsyntax.Expression, hops int) (place, bool) {
	if hops++; hops > maxHops {
		return place{}, false
	}
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return t.expr(s, e.Expression, hops)
	case *hclsyntax.ScopeTraversalExpr:
		return t.traversal(s, e.Traversal, hops)
	case *hclsyntax.RelativeTraversalExpr:
		return along(t.expr(s, e.Source, hops))(e.Traversal)
	case *hclsyntax.IndexExpr:
		from, ok := t.expr(s, e.Collection, hops)
		key, known := t.constant(s, e.Key, hops)
		return from.child(key), ok && known
	case *hclsyntax.FunctionCallExpr:
		return place{}, e.Name == "yamldecode" && len(e.Args) == 1 && readsSource(e.Args[0])
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
		return ok && path.Base(last) == sourceVariables
	default:
		text, ok := literal(arg)
		return ok && path.Base(text) == sourceVariables
	}
}

// constant is the value of a literal, or of what leads to var.environment.
func (t *tracer) constant(s *scope, expr hclsyntax.Expression, hops int) (string, bool) {
	if text, ok := literal(expr); ok {
		return text, true
	}
	if hops++; hops > maxHops {
		return "", false
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
			return string(t.job.Environment), name == "environment"
		}
		for _, c := range s.callers {
			if e, ok := c.call.args[name]; ok {
				return t.constant(c.scope, e, hops)
			}
		}
	}
	return "", false
}

func (t *tracer) traversal(s *scope, traversal hcl.Traversal, hops int) (place, bool) {
	if s == nil || len(traversal) < 2 {
		return place{}, false
	}
	name, ok := stepOf(traversal[1])
	if !ok {
		return place{}, false
	}
	rest := traversal[2:]
	switch traversal.RootName() {
	case "local":
		if expr, ok := s.locals[name]; ok {
			return along(t.expr(s, expr, hops))(rest)
		}
	case "var":
		return along(t.variable(s, name, hops))(rest)
	}
	return place{}, false
}

// variable is where a variable gets its value. Several calls of a module count
// only when they agree.
func (t *tracer) variable(s *scope, name string, hops int) (place, bool) {
	if s.root {
		switch name {
		case "config":
			return place{}, true
		case "environment", "source_repo":
			return place{}, false
		}
		return place{steps: []string{name}, overlay: true}, true
	}
	var from place
	found := false
	for _, c := range s.callers {
		expr, ok := c.call.args[name]
		if !ok {
			return place{}, false
		}
		p, ok := t.expr(c.scope, expr, hops)
		if !ok || found && p.String() != from.String() {
			return place{}, false
		}
		from, found = p, true
	}
	return from, found
}

// along goes on from a place along a traversal.
func along(from place, ok bool) func(hcl.Traversal) (place, bool) {
	return func(rest hcl.Traversal) (place, bool) {
		for _, step := range rest {
			key, known := stepOf(step)
			if !ok || !known {
				return place{}, false
			}
			from = from.child(key)
		}
		return from, ok
	}
}

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
