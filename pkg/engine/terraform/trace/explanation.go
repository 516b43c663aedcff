package trace

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// explanation follows one change through the manager's code.
type explanation struct {
	*Tracer
	variants *variants
	changed  map[string][]*pipeline.ResourceChange // by address without keys
	seen     map[string]bool
	found    []edit
	guarded  bool // something on the way is sensitive
	local    *pipeline.Cause
	steps    int
	muted    int // edits are not added
	// part is the instance of which the repetition is followed without being computed:
	// what other instances come from does not count.
	part *instance
}

// resource follows what decides a change of a resource.
func (e *explanation) resource(c *pipeline.ResourceChange) {
	mark := e.mark("resource " + c.Address)
	if e.seen[mark] {
		return
	}
	e.seen[mark] = true
	in, ok := e.find(c.Address)
	if !ok {
		return
	}
	if c.Action == pipeline.ActionDelete || c.Action == pipeline.ActionCreate || !c.Action.Known() {
		e.repetition(in)
		return
	}
	passed := map[string]bool{}
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
		if !passed[name] {
			passed[name] = true
			e.attribute(in, name)
		}
	}
	for _, inner := range in.body.Blocks {
		if trigger, ok := inner.Body.Attributes["replace_triggered_by"]; ok && c.Action == pipeline.ActionReplace {
			e.follow(in, trigger.Expr)
		}
	}
}

// attribute follows an argument of a resource, or the blocks of that name.
func (e *explanation) attribute(in *instance, name string) {
	if attribute, ok := in.body.Attributes[name]; ok {
		e.follow(in, attribute.Expr)
		return
	}
	for _, inner := range in.body.Blocks {
		if inner.Type == name || inner.Type == "dynamic" && len(inner.Labels) > 0 && inner.Labels[0] == name {
			e.nested(in, inner.Body)
		}
	}
}

// mark is a name among those that were seen. What was passed without adding edits
// may be passed again with them.
func (e *explanation) mark(name string) string {
	if e.muted > 0 {
		return "muted " + name
	}
	return name
}

// nested follows all of a block inside of a resource.
func (e *explanation) nested(in *instance, body *hclsyntax.Body) {
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		e.follow(in, body.Attributes[name].Expr)
	}
	for _, inner := range body.Blocks {
		e.nested(in, inner.Body)
	}
}

// repetition finds what makes an instance come or go: count and for_each of the
// resource and of the modules around it.
func (e *explanation) repetition(in *instance) {
	for level := in; level != nil; level = level.caller {
		for _, name := range repetitions {
			if expr, ok := level.repeat[name]; ok {
				e.membership(level, name, expr)
			}
		}
	}
}

// membership adds the edits by which the instance came or went.
func (e *explanation) membership(in *instance, name string, expr hclsyntax.Expression) {
	if e.muted == 0 && e.variants != nil && (in.keyed || name == "enabled") {
		of := e.presence(in, name)
		if found, ok := e.variants.search(of, in.key); ok && (len(found) > 0 || e.present(of)) {
			e.addAll(found)
			e.passMuted(in.module(), expr)
			return
		}
	}
	e.passPart(in, expr)
}

// present reports an instance that is there with the customer's file as it is now.
func (e *explanation) present(of outcome) bool {
	is, ok := e.variants.outcome(of, nil, false)
	return ok && is == "true"
}

// passMuted passes an expression for what is sensitive on the way and for the nearest
// local; the edits are known already.
func (e *explanation) passMuted(in *instance, expr hclsyntax.Expression) {
	e.muted++
	e.follow(in, expr)
	e.muted--
}

// passPart follows count or for_each where it cannot be computed for one instance.
func (e *explanation) passPart(in *instance, expr hclsyntax.Expression) {
	before := e.part
	if in.keyed {
		e.part = in
	}
	e.follow(in.module(), expr)
	e.part = before
}

// follow adds the edits that an expression comes from. Where its value can be computed
// from the customer's file these are the edits that change it; else its parts are
// followed one by one.
func (e *explanation) follow(in *instance, expr hclsyntax.Expression) {
	if e.steps++; e.steps > maxVisited {
		return
	}
	if call, ok := expr.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "sensitive" || call.Name == "ephemeralasnull") {
		e.guarded = true
	}
	if e.muted == 0 && e.part == nil && e.variants != nil {
		if found, ok := e.variants.search(e.valueOutcome(in, expr), in.key); ok {
			e.addAll(found)
			e.passMuted(in, expr)
			return
		}
	}
	if traversal, ok := expr.(*hclsyntax.ScopeTraversalExpr); ok {
		e.reference(in, traversal.Traversal, nil)
		return
	}
	if e.place(in, expr) {
		e.passMuted(in, expr)
		return
	}
	e.parts(in, expr)
}

// place adds the edits of a place that a call or an index leads to.
func (e *explanation) place(in *instance, expr hclsyntax.Expression) bool {
	switch expr.(type) {
	case *hclsyntax.FunctionCallExpr, *hclsyntax.IndexExpr, *hclsyntax.RelativeTraversalExpr:
	default:
		return false
	}
	if e.muted > 0 {
		return false
	}
	e.visited = 0
	at, ok := e.expr(in.scope, expr, nil, 0)
	if !ok || len(at.steps) == 0 {
		return false
	}
	e.addUnder(at)
	return true
}

// parts follows the expressions that an expression is made of.
func (e *explanation) parts(in *instance, expr hclsyntax.Expression) {
	if index, ok := expr.(*hclsyntax.IndexExpr); ok {
		if traversal, ok := index.Collection.(*hclsyntax.ScopeTraversalExpr); ok {
			e.reference(in, traversal.Traversal, e.keyOf(in, index.Key))
			e.follow(in, index.Key)
			return
		}
	}
	for _, part := range partsOf(expr) {
		e.follow(in, part)
	}
}

// keyOf is the key that an index comes to, nil where it is not known.
func (e *explanation) keyOf(in *instance, expr hclsyntax.Expression) *string {
	if key, ok := literal(expr); ok {
		return &key
	}
	if e.variants == nil {
		return nil
	}
	v, ok := e.variants.with(e.variants.all(true))
	if !ok {
		return nil
	}
	key, ok := keyText(e.evaluate(v, in, expr))
	if !ok {
		return nil
	}
	return &key
}

// partsOf are the outermost expressions inside of one.
func partsOf(expr hclsyntax.Expression) []hclsyntax.Expression {
	var parts []hclsyntax.Expression
	outermost(expr, func(node hclsyntax.Node) bool {
		part, ok := node.(hclsyntax.Expression)
		if key, isKey := node.(*hclsyntax.ObjectConsKeyExpr); isKey {
			if !key.ForceNonLiteral && hcl.ExprAsKeyword(key.Wrapped) != "" {
				return true
			}
			part = key.Wrapped
		}
		if !ok || part == expr {
			return false
		}
		parts = append(parts, part)
		return true
	})
	return parts
}
