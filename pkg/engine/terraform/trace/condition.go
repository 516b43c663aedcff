package trace

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// firstOf are functions whose value is the first of their arguments that is there.
var firstOf = []string{"try", "coalesce", "coalescelist"}

// passThrough are functions whose value comes from their first argument.
var passThrough = []string{
	"sensitive", "nonsensitive",
	"tostring", "tonumber", "tobool", "tolist", "toset", "tomap", "trimspace", "lower", "upper",
}

func (t *Tracer) call(s *scope, e *hclsyntax.FunctionCallExpr, rest []string, hops int) (place, bool) {
	switch {
	case len(e.Args) == 0:
		return place{}, false
	case e.Name == "yamldecode" && len(e.Args) == 1 && readsSource(e.Args[0]):
		return place{steps: rest}, true
	case e.Name == "lookup" && len(e.Args) >= 2:
		key, ok := t.constant(s, e.Args[1], hops)
		if !ok {
			return place{}, false
		}
		return t.expr(s, e.Args[0], join([]string{key}, rest), hops)
	case e.Name == "element" && len(e.Args) == 2:
		if index, ok := t.constant(s, e.Args[1], hops); ok && isDigits(index) {
			return t.expr(s, e.Args[0], join([]string{index}, rest), hops)
		}
		return place{}, false
	case slices.Contains(firstOf, e.Name) && !e.ExpandFinal:
		return t.first(s, e.Args, rest, hops)
	case e.Name == "merge" && len(rest) > 0 && !e.ExpandFinal:
		return t.merged(s, e.Args, rest, hops)
	case slices.Contains(passThrough, e.Name):
		return t.expr(s, e.Args[0], rest, hops)
	}
	return place{}, false
}

// first is the first argument that the file has; where it has none, the first one that
// comes from the file at all.
func (t *Tracer) first(s *scope, args []hclsyntax.Expression, rest []string, hops int) (place, bool) {
	var first place
	found := false
	for _, arg := range args {
		p, ok := t.expr(s, arg, rest, hops)
		if !ok {
			continue
		}
		if _, exact := t.locate(p); exact {
			return p, true
		}
		if !found {
			first, found = p, true
		}
	}
	return first, found
}

// merged is the last argument that has the key; where none has it, the last one
// that comes from variables.yml. One that may have it, for all we know, ends it.
func (t *Tracer) merged(s *scope, args []hclsyntax.Expression, rest []string, hops int) (place, bool) {
	var last place
	found := false
	for _, arg := range slices.Backward(args) {
		if object, ok := arg.(*hclsyntax.ObjectConsExpr); ok && t.lacks(s, object, rest[0], hops) {
			continue
		}
		p, ok := t.expr(s, arg, rest, hops)
		if !ok {
			break
		}
		above := place{steps: p.steps[:max(0, len(p.steps)-len(rest)+1)], overlay: p.overlay}
		if _, exact := t.locate(above); exact {
			return p, true
		}
		if !found {
			last, found = p, true
		}
	}
	return last, found
}

// item is the value of the first step in an object that is written out.
func (t *Tracer) item(s *scope, object *hclsyntax.ObjectConsExpr, rest []string, hops int) hclsyntax.Expression {
	if len(rest) == 0 {
		return nil
	}
	for _, item := range object.Items {
		if key, ok := t.itemKey(s, item, hops); ok && key == rest[0] {
			return item.ValueExpr
		}
	}
	return nil
}

func (t *Tracer) lacks(s *scope, object *hclsyntax.ObjectConsExpr, name string, hops int) bool {
	return !slices.ContainsFunc(object.Items, func(item hclsyntax.ObjectConsItem) bool {
		key, ok := t.itemKey(s, item, hops)
		return !ok || key == name
	})
}

func (t *Tracer) itemKey(s *scope, item hclsyntax.ObjectConsItem, hops int) (string, bool) {
	expr := item.KeyExpr
	if key, ok := expr.(*hclsyntax.ObjectConsKeyExpr); ok {
		if word := hcl.ExprAsKeyword(key.Wrapped); word != "" && !key.ForceNonLiteral {
			return word, true
		}
		expr = key.Wrapped
	}
	return t.constant(s, expr, hops)
}

// element is the element of for_each that fails. When the tool does not name it
// and there are several, it is the whole collection.
func (t *Tracer) element(s *scope, rest []string, hops int) (place, bool) {
	each := t.each
	if call, ok := each.(*hclsyntax.FunctionCallExpr); ok && call.Name == "toset" {
		return place{}, false // its elements have no keys in the file
	}
	if t.eachKey != "" {
		return t.expr(s, each, join([]string{t.eachKey}, rest), hops)
	}
	from, ok := t.expr(s, each, nil, hops)
	if !ok {
		return place{}, false
	}
	if keys := t.keys(from); len(keys) == 1 {
		return t.expr(s, each, join(keys, rest), hops)
	}
	return from, true
}

// keys are the names of the members of an object in variables.yml.
func (t *Tracer) keys(at place) []string {
	config, err := t.Job.Variables.Effective(t.Job.Environment)
	if err != nil {
		return nil
	}
	raw, steps := config.Whole, at.steps
	if at.overlay && len(steps) > 0 {
		raw, steps = config.Values[steps[0]], steps[1:]
	}
	var members map[string]json.RawMessage
	for {
		members = nil
		if json.Unmarshal(raw, &members) != nil {
			return nil
		}
		if len(steps) == 0 {
			break
		}
		raw, steps = members[steps[0]], steps[1:]
	}
	var keys []string
	for key := range members {
		keys = append(keys, key)
	}
	return keys
}

// enter notes the for_each of the block around a line, and the key if the tool
// names it.
func (t *Tracer) enter(s *scope, d tfjson.Diagnostic) {
	t.each, t.eachKey, t.eachScope, t.self, t.visited = nil, "", s, nil, 0
	for _, b := range s.blocks {
		if b.file == t.ManagerPath(d.Range.Filename) && b.from <= d.Range.Start.Line && d.Range.Start.Line <= b.to {
			t.self = b.body
		}
	}
	for _, b := range s.repeated {
		if b.file == t.ManagerPath(d.Range.Filename) && b.from <= d.Range.Start.Line && d.Range.Start.Line <= b.to {
			t.each = b.each
		}
	}
	if t.each == nil {
		return
	}
	if address, diags := hclsyntax.ParseTraversalAbs([]byte(d.Address), "", hcl.InitialPos); !diags.HasErrors() {
		if index, ok := address[len(address)-1].(hcl.TraverseIndex); ok {
			t.eachKey, _ = keyText(index.Key)
		}
	}
	if d.Snippet == nil {
		return
	}
	for _, v := range d.Snippet.Values {
		var key string
		if text, ok := strings.CutPrefix(v.Statement, "is "); ok && v.Traversal == "each.key" && json.Unmarshal([]byte(text), &key) == nil {
			t.eachKey = key
		}
	}
}

// IsCondition reports a rule of the manager that does not hold.
func IsCondition(d tfjson.Diagnostic) bool {
	return slices.Contains(Conditions, d.Summary)
}

// isWhole reports values that the tool describes by their type alone: parts of
// them decide, and which, only the code shows.
func isWhole(values []tfjson.DiagnosticExpressionValue) bool {
	return !slices.ContainsFunc(values, func(v tfjson.DiagnosticExpressionValue) bool {
		return !strings.Contains(v.Statement, " with ") && !strings.HasPrefix(v.Statement, "is object")
	})
}

// condition handles a rule whose values could not be followed one by one: the
// places in variables.yml that its code leads to.
func (t *Tracer) condition(p *pipeline.Diagnostic, d tfjson.Diagnostic, s *scope) {
	if d.Snippet == nil {
		return
	}
	start, end := d.Snippet.HighlightStartOffset, d.Snippet.HighlightEndOffset
	if start < 0 || end > len(d.Snippet.Code) || start >= end {
		return
	}
	expr, diags := hclsyntax.ParseExpression([]byte(d.Snippet.Code[start:end]), "", hcl.InitialPos)
	if diags.HasErrors() {
		return
	}
	var named []string
	for _, at := range t.sources(s, expr) {
		pos, exact := t.locate(at)
		if len(named) == 0 {
			p.Source, p.Exact = pos, exact
		}
		shown := at.String()
		if at.overlay {
			shown = t.overlaid(at)
		}
		if text := "`" + shown + "`"; !slices.Contains(named, text) {
			named = append(named, text)
		}
	}
	if len(named) > 0 {
		verb := "change"
		if !p.Exact {
			verb = "set"
		}
		p.Remedy = fmt.Sprintf("%s %s in %s so that this holds", verb, strings.Join(named, " or "), p.Source.File)
	}
}

// sources are the places that an expression and its parts lead to, the outermost
// only, in the order in which they stand.
func (t *Tracer) sources(s *scope, expr hclsyntax.Expression) []place {
	var found []place
	outermost(expr, func(node hclsyntax.Node) bool {
		expr, ok := node.(hclsyntax.Expression)
		if !ok {
			return false
		}
		at, ok := t.expr(s, expr, nil, 0)
		if !ok || len(at.steps) == 0 {
			return false
		}
		found = append(found, at)
		return true
	})
	return found
}

// outermost visits an expression and what is in it, but for what is inside of a node
// that take has taken.
func outermost(expr hclsyntax.Expression, take func(hclsyntax.Node) bool) {
	_ = hclsyntax.Walk(expr, &outermostWalker{take: take}) // it reports no errors
}

type outermostWalker struct {
	take   func(hclsyntax.Node) bool
	within int // counts the nodes inside of one that was taken
}

func (w *outermostWalker) Enter(node hclsyntax.Node) hcl.Diagnostics {
	if w.within > 0 {
		w.within++
	} else if w.take(node) {
		w.within = 1
	}
	return nil
}

func (w *outermostWalker) Exit(hclsyntax.Node) hcl.Diagnostics {
	if w.within > 0 {
		w.within--
	}
	return nil
}
