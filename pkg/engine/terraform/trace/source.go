package trace

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// namedVariable finds the variable in messages about a file of variables.
var namedVariable = text.Pattern(`\bvar\.([A-Za-z_][A-Za-z0-9_-]*)|variable "([A-Za-z_][A-Za-z0-9_-]*)"`)

// declaredAt finds the place of the declaration in such messages.
var declaredAt = text.Pattern(`(?:declared|validation rule) at ([^\s:,]+):(\d+),(\d+)`)

// Source notes the line of variables.yml that decides the failing value, and the
// remedy in the customer's own terms.
func (t *Tracer) Source(p *pipeline.Diagnostic, d tfjson.Diagnostic) {
	if d.Range == nil {
		return
	}
	dir := path.Dir(t.ManagerPath(d.Range.Filename))
	if t.IsVarsFile(d.Range.Filename) {
		dir = t.rootDir()
	}
	// What is wrong with a variable of a module is reported at the call; its names are
	// those of the module.
	if at, ok := t.declaration(d); ok {
		p.Where, dir = at, path.Dir(at.File)
	}
	s := t.scope(dir)
	if s == nil {
		return
	}
	t.enter(s, d)
	if d.Snippet != nil {
		if isMissingKey(d.Summary) && t.missingKey(p, d.Snippet, s) {
			return
		}
		if IsCondition(d) && isWhole(d.Snippet.Values) {
			t.condition(p, d, s)
		}
		if p.Remedy == "" {
			t.values(p, d.Snippet.Values, s)
		}
	}
	if p.Remedy == "" && strings.HasPrefix(d.Summary, "Invalid value for") {
		t.variableValue(p, d, s)
	}
	if p.Remedy == "" && IsCondition(d) {
		t.condition(p, d, s)
	}
}

// isMissingKey reports the summaries for a key or an index that is not there.
func isMissingKey(summary string) bool {
	switch summary {
	case "Unsupported attribute", "Invalid index", "Missing map element", "Attempt to get attribute from null value", "Attempt to index null value":
		return true
	}
	return false
}

// missingKey handles `local.config.database` with the highlight on `.database`.
func (t *Tracer) missingKey(p *pipeline.Diagnostic, snippet *tfjson.DiagnosticSnippet, s *scope) bool {
	start, end := snippet.HighlightStartOffset, snippet.HighlightEndOffset
	if start < 0 || end > len(snippet.Code) || start >= end {
		return false
	}
	key, ok := t.highlightedKey(s, snippet.Code[start:end])
	if !ok {
		return false
	}
	parent, ok := t.text(s, traversalBefore(snippet.Code[:start]))
	if !ok && len(snippet.Values) == 1 {
		parent, ok = t.text(s, snippet.Values[0].Traversal)
	}
	if !ok {
		return false
	}
	wanted := parent.child(key)
	p.Source, p.Exact = t.locate(wanted)
	within := parent.String()
	if parent.overlay {
		within = t.overlaid(parent)
	}
	switch {
	case p.Exact:
		p.Remedy = fmt.Sprintf("check `%s` in %s", wanted, p.Source)
	case isDigits(key):
		p.Remedy = fmt.Sprintf("add an element to `%s` in %s (number %s is used, counted from 0)", within, p.Source.File, key)
	case within == "":
		p.Remedy = fmt.Sprintf("add `%s:` at the top level of %s", key, p.Source.File)
	default:
		p.Remedy = fmt.Sprintf("add `%s:` under `%s` in %s", key, within, p.Source.File)
	}
	return true
}

// highlightedKey reads ".database", `["foo"]`, "[3]" or "[var.environment]".
func (t *Tracer) highlightedKey(s *scope, code string) (string, bool) {
	expr, diags := hclsyntax.ParseExpression([]byte("x"+strings.TrimSpace(code)), "", hcl.InitialPos)
	if diags.HasErrors() {
		return "", false
	}
	switch e := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		if len(e.Traversal) == 2 {
			return stepOf(e.Traversal[1])
		}
	case *hclsyntax.IndexExpr:
		return t.constant(s, e.Key, 0)
	}
	return "", false
}

// traversalBefore is the longest text at the end of code that looks like a
// traversal.
func traversalBefore(code string) string {
	i := len(code)
	for i > 0 && (jsonvalue.IsIdentifier("_"+code[i-1:i]) || strings.IndexByte(`.[]"`, code[i-1]) >= 0) {
		i--
	}
	return code[i:]
}

// values names the places of the values that an expression was made of.
func (t *Tracer) values(p *pipeline.Diagnostic, values []tfjson.DiagnosticExpressionValue, s *scope) {
	var named []string
	for _, v := range values {
		at, ok := t.text(s, v.Traversal)
		if !ok || len(at.steps) == 0 {
			continue
		}
		pos, exact := t.locate(at)
		if len(named) == 0 {
			p.Source, p.Exact = pos, exact
		}
		shown := at.String()
		if at.overlay && exact {
			shown = t.overlaid(at)
		}
		named = append(named, fmt.Sprintf("`%s` (%s)", shown, redact.Clean(v.Statement)))
	}
	if len(named) == 0 {
		return
	}
	p.Remedy = fmt.Sprintf("change %s in %s", strings.Join(named, " or "), p.Source.File)
}

// declaration is the place of the variable that a diagnostic is about. The tools
// name the file of variables or the call of a module first.
func (t *Tracer) declaration(d tfjson.Diagnostic) (pipeline.Position, bool) {
	m := declaredAt().FindStringSubmatch(d.Detail)
	if m == nil || !strings.HasPrefix(d.Summary, "Invalid value for") {
		return pipeline.Position{}, false
	}
	line, lineErr := strconv.Atoi(m[2])
	column, columnErr := strconv.Atoi(m[3])
	return pipeline.Position{File: t.ManagerPath(m[1]), Line: line, Column: column}, lineErr == nil && columnErr == nil
}

// variableValue handles a value that does not fit its variable.
func (t *Tracer) variableValue(p *pipeline.Diagnostic, d tfjson.Diagnostic, s *scope) {
	m := namedVariable().FindStringSubmatch(d.Detail)
	if m == nil {
		return
	}
	at, ok := t.variable(s, m[1]+m[2], nil, 0)
	if !ok || len(at.steps) == 0 {
		return
	}
	p.Source, p.Exact = t.locate(at)
	shown := at.String()
	if at.overlay {
		shown = t.overlaid(at)
	}
	p.Remedy = fmt.Sprintf("change `%s` in %s", shown, p.Source.File)
}

// locate finds a place; a typed variable first among the environment's own keys.
func (t *Tracer) locate(at place) (pipeline.Position, bool) {
	if at.overlay {
		if pos, exact := t.Job.Variables.Locate(t.ownSteps(at)...); exact {
			return pos, true
		}
	}
	pos, exact := t.Job.Variables.Locate(at.steps...)
	if !exact && at.overlay && len(at.steps) > 1 {
		// The nearest parent is where the variable itself comes from.
		if _, own := t.Job.Variables.Locate(t.ownSteps(place{steps: at.steps[:1]})...); own {
			pos, _ = t.Job.Variables.Locate(t.ownSteps(at)...)
		}
	}
	return pos, exact
}

// overlaid names the place that a typed variable's value really comes from.
func (t *Tracer) overlaid(at place) string {
	if _, exact := t.Job.Variables.Locate(t.ownSteps(at)...); exact {
		return strings.Join(t.ownSteps(at), ".")
	}
	return at.String()
}

func (t *Tracer) ownSteps(at place) []string {
	return append([]string{"environments", string(t.Job.Environment)}, at.steps...)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
