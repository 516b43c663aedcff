package trace

import (
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// explanation follows one change through the manager's code.
type explanation struct {
	*Tracer
	edits   []edit
	changed map[string]*pipeline.ResourceChange // by address without keys
	seen    map[string]bool
	found   []edit
	guarded bool // something on the way is sensitive
	local   *pipeline.Cause
	steps   int
	muted   int // edits are not added
}

// block is a resource or the call of a module, with the scope around it.
type block struct {
	scope *scope
	body  *hclsyntax.Body // of the resource
	calls []callAt        // of the modules around it, the innermost last
}

type callAt struct {
	scope *scope
	call  moduleCall
}

// find leads from an address without keys to its block.
func (e *explanation) find(address string) (block, bool) {
	b := block{scope: e.scope(e.rootDir())}
	parts := strings.Split(address, ".")
	for len(parts) > 2 && parts[0] == "module" && b.scope != nil {
		inner := false
		for _, call := range b.scope.calls {
			if call.name == parts[1] {
				b.calls = append(b.calls, callAt{b.scope, call})
				b.scope, inner = e.scope(call.dir), true
				break
			}
		}
		if !inner {
			return b, false
		}
		parts = parts[2:]
	}
	if b.scope == nil {
		return b, false
	}
	b.body = b.scope.resources[strings.Join(parts, ".")]
	return b, b.body != nil
}

// resource follows what decides a change of a resource.
func (e *explanation) resource(address string, c *pipeline.ResourceChange) {
	plain := pipeline.WithoutKeys(address)
	if e.seen["resource "+plain] {
		return
	}
	e.seen["resource "+plain] = true
	b, ok := e.find(plain)
	if !ok {
		return
	}
	if c.Action == pipeline.ActionDelete || c.Action == pipeline.ActionCreate || !c.Action.Known() {
		e.repetition(b)
		return
	}
	for i := range c.Attributes {
		a := &c.Attributes[i]
		if c.Action == pipeline.ActionReplace && !a.ForcesReplacement {
			continue
		}
		name := a.Path
		if end := strings.IndexAny(name, ".["); end >= 0 {
			name = name[:end]
		}
		e.guarded = e.guarded || a.Before.Sensitive || a.After.Sensitive
		if attribute, ok := b.body.Attributes[name]; ok {
			e.follow(b, attribute.Expr)
			continue
		}
		for _, inner := range b.body.Blocks {
			if inner.Type == name || inner.Type == "dynamic" && len(inner.Labels) > 0 && inner.Labels[0] == name {
				e.nested(b, inner.Body)
			}
		}
	}
	for _, inner := range b.body.Blocks {
		if trigger, ok := inner.Body.Attributes["replace_triggered_by"]; ok && c.Action == pipeline.ActionReplace {
			e.follow(b, trigger.Expr)
		}
	}
}

// nested follows all of a block inside of a resource.
func (e *explanation) nested(b block, body *hclsyntax.Body) {
	for _, attribute := range body.Attributes {
		e.follow(b, attribute.Expr)
	}
	for _, inner := range body.Blocks {
		e.nested(b, inner.Body)
	}
}

// repetition follows count and for_each of a resource and of the modules around it.
func (e *explanation) repetition(b block) {
	for _, name := range []string{"count", "for_each", "enabled"} {
		if attribute, ok := b.body.Attributes[name]; ok {
			e.follow(b, attribute.Expr)
		}
		for _, c := range b.calls {
			if expr, ok := c.call.args[name]; ok {
				e.follow(block{scope: c.scope}, expr)
			}
		}
	}
}

// follow goes through all that an expression refers to.
func (e *explanation) follow(b block, expr hclsyntax.Expression) {
	if e.steps++; e.steps > maxVisited {
		return
	}
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if call, ok := node.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "sensitive" || call.Name == "ephemeralasnull") {
			e.guarded = true
		}
		return nil
	})
	for _, traversal := range expr.Variables() {
		e.reference(b, traversal)
	}
}

func (e *explanation) reference(b block, traversal hcl.Traversal) {
	key := b.scope.dir + " " + string(traversalText(traversal))
	if e.muted > 0 {
		key = "muted " + key
	}
	if e.seen[key] || len(traversal) < 2 {
		return
	}
	e.seen[key] = true
	e.visited = 0
	if at, ok := e.traversal(b.scope, traversal, nil, 0); ok {
		for _, x := range e.under(at) {
			e.add(x)
		}
	}
	name, ok := stepOf(traversal[1])
	if !ok {
		return
	}
	switch root := traversal.RootName(); root {
	case "local":
		if expr, ok := b.scope.locals[name]; ok {
			if e.local == nil {
				where := pipeline.Position{File: path.Join(b.scope.dir, expr.Range().Filename), Line: expr.Range().Start.Line}
				e.local = &pipeline.Cause{Local: "local." + name, Where: where}
			}
			e.followLocal(b, traversal, expr)
		}
	case "var":
		e.guarded = e.guarded || b.scope.sensitive[name]
		for _, c := range b.scope.callers {
			if expr, ok := c.call.args[name]; ok {
				e.follow(block{scope: c.scope}, expr)
			}
		}
	case "each", "count":
		if b.body != nil {
			e.repetition(b)
		}
	case "module":
		e.output(b, name, traversal)
	default:
		e.sibling(b, root+"."+name)
	}
}

// followLocal goes on behind a local, but not into a whole document of which only
// one key is read: that key was looked up already.
func (e *explanation) followLocal(b block, traversal hcl.Traversal, expr hclsyntax.Expression) {
	if at, ok := e.traversal(b.scope, traversal, nil, 0); ok && len(at.steps) > 0 {
		e.muted++ // the place is known exactly; only the marks on the way count
		e.follow(b, expr)
		e.muted--
		return
	}
	e.follow(b, expr)
}

// output goes on in a module of which an output is read.
func (e *explanation) output(b block, module string, traversal hcl.Traversal) {
	if len(traversal) < 3 {
		return
	}
	name, ok := stepOf(traversal[len(traversal)-1])
	if !ok {
		return
	}
	for _, call := range b.scope.calls {
		inner := e.scope(call.dir)
		if call.name != module || inner == nil {
			continue
		}
		if expr, ok := inner.outputs[name]; ok {
			e.follow(block{scope: inner}, expr)
		}
	}
}

// sibling goes on at another resource of the module that changes too.
func (e *explanation) sibling(b block, name string) {
	if _, ok := b.scope.resources[name]; !ok {
		return
	}
	for address, c := range e.changed {
		if address != name && !strings.HasSuffix(address, "."+name) {
			continue
		}
		if there, ok := e.find(address); ok && there.scope == b.scope {
			e.resource(address, c)
		}
	}
}

func (e *explanation) add(x edit) {
	name := "edit " + strings.Join(x.steps, "\x00")
	if e.muted == 0 && !e.seen[name] {
		e.seen[name] = true
		e.found = append(e.found, x)
	}
}

func traversalText(traversal hcl.Traversal) []byte {
	var out []byte
	for _, step := range traversal {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			out = append(out, s.Name...)
		case hcl.TraverseAttr:
			out = append(append(out, '.'), s.Name...)
		default:
			key, _ := stepOf(step)
			out = append(append(append(out, '['), key...), ']')
		}
	}
	return out
}
