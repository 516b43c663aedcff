package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// scope is what an expression can see where it stands: the contexts by their names, and the functions that
// ask how things went. A name that is missing is not available there, which is an error as on GitHub.
type scope struct {
	contexts map[string]any
	// status answers success, failure, always and cancelled; nil where they are not available.
	status func(function string) bool
	// files answers hashFiles; nil where it is not available.
	files func(patterns []string) (string, error)
	// quoted are the places of texts in quotation marks: they are texts whatever stands in them.
	quoted map[actionlint.Pos]bool
}

// at is what of the scope is available under a key of a workflow, such as "jobs.<job_id>.if". Source:
// https://docs.github.com/actions/reference/workflows-and-actions/contexts#context-availability
func (s scope) at(key string) scope {
	names, special := actionlint.WorkflowKeyAvailability(key)
	out := scope{contexts: map[string]any{}, quoted: s.quoted}
	for _, name := range names {
		if value, ok := s.contexts[name]; ok {
			out.contexts[name] = value
		}
	}
	if slices.Contains(special, "success") {
		out.status = s.status
	}
	if slices.Contains(special, "hashfiles") {
		out.files = s.files
	}
	return out
}

// with is the scope with one more context.
func (s scope) with(name string, value any) scope {
	s.contexts = maps.Clone(s.contexts)
	s.contexts[name] = value
	return s
}

// maxDepth bounds how deep an expression is evaluated.
const maxDepth = 200

// parse reads an expression without its `${{ }}`.
func parse(text string) (actionlint.ExprNode, error) {
	lexer := actionlint.NewExprLexer(text + "}}")
	node, err := actionlint.NewExprParser().Parse(lexer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no expression: %s", strings.TrimSpace(text), err.Message)
	case lexer.Offset() != len(text)+2:
		return nil, fmt.Errorf("%q is no expression: it goes on behind its end", strings.TrimSpace(text))
	}
	return node, nil
}

// value evaluates a text that may be one expression: `${{ x }}` alone keeps its type, and in every other text
// the expressions are replaced by their texts.
func (s scope) value(text string) (any, error) {
	parts, err := split(text)
	if err != nil {
		return nil, err
	}
	return s.join(parts)
}

// join is the value of the pieces of a text.
func (s scope) join(parts []part) (any, error) {
	if len(parts) == 1 && parts[0].node != nil {
		return s.eval(parts[0].node, 0)
	}
	var b strings.Builder
	for _, p := range parts {
		if p.node == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := s.eval(p.node, 0)
		if err != nil {
			return nil, err
		}
		b.WriteString(format(v))
	}
	return b.String(), nil
}

// text is value as a text.
func (s scope) text(text string) (string, error) {
	v, err := s.value(text)
	return format(v), err
}

// part is a piece of a text: words, or an expression.
type part struct {
	text string
	node actionlint.ExprNode
}

// split finds the expressions of a text. White space around a single one does not count.
func split(text string) ([]part, error) {
	var parts []part
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "${{") && strings.HasSuffix(trimmed, "}}") && strings.Count(trimmed, "${{") == 1 {
		text = trimmed
	}
	for {
		before, rest, found := strings.Cut(text, "${{")
		if before != "" {
			parts = append(parts, part{text: before})
		}
		if !found {
			return parts, nil
		}
		lexer := actionlint.NewExprLexer(rest)
		node, err := actionlint.NewExprParser().Parse(lexer)
		if err != nil {
			return nil, fmt.Errorf("%q is no expression: %s", "${{"+shorten(rest), err.Message)
		}
		parts = append(parts, part{node: node})
		text = rest[lexer.Offset():]
	}
}

func shorten(text string) string {
	if end := strings.Index(text, "}}"); end >= 0 && end < 200 {
		return text[:end+2]
	}
	return text[:min(len(text), 60)]
}

// conditionParts reads an `if`, which is an expression also without its `${{ }}`.
func conditionParts(text string) ([]part, error) {
	if strings.Contains(text, "${{") || strings.TrimSpace(text) == "" {
		return split(text)
	}
	node, err := parse(text)
	return []part{{node: node}}, err
}

// condition evaluates an `if`. Without a function that asks how things went, success() is part of it. A text with
// expressions in it is true unless it is empty.
func (s scope) condition(text string) (bool, error) {
	parts, err := conditionParts(text)
	if err != nil {
		return false, err
	}
	asks := slices.ContainsFunc(parts, func(p part) bool { return p.node != nil && asksStatus(p.node) })
	if !asks && !s.status("success") {
		return false, nil
	}
	if strings.TrimSpace(text) == "" {
		return true, nil
	}
	v, err := s.join(parts)
	return truthy(v), err
}

// statusFunctions are those that ask how things went.
var statusFunctions = []string{"success", "failure", "always", "cancelled"}

func asksStatus(node actionlint.ExprNode) (asks bool) {
	actionlint.VisitExprNode(node, func(n, _ actionlint.ExprNode, entering bool) {
		if call, ok := n.(*actionlint.FuncCallNode); ok && entering {
			asks = asks || slices.Contains(statusFunctions, strings.ToLower(call.Callee))
		}
	})
	return asks
}

func (s scope) eval(node actionlint.ExprNode, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the expression is nested too deeply")
	}
	operand := func(n actionlint.ExprNode) (any, error) { return s.eval(n, depth+1) }
	switch n := node.(type) {
	case *actionlint.NullNode:
		return nil, nil
	case *actionlint.BoolNode:
		return n.Value, nil
	case *actionlint.IntNode:
		return float64(n.Value), nil
	case *actionlint.FloatNode:
		return n.Value, nil
	case *actionlint.StringNode:
		return n.Value, nil
	case *actionlint.VariableNode:
		v, ok := s.contexts[strings.ToLower(n.Name)]
		if !ok {
			return nil, fmt.Errorf("the context %q is not available here", n.Name)
		}
		return v, nil
	case *actionlint.ObjectDerefNode:
		v, err := operand(n.Receiver)
		return property(v, n.Property), err
	case *actionlint.ArrayDerefNode:
		v, err := operand(n.Receiver)
		return each(v), err
	case *actionlint.IndexAccessNode:
		v, err := operand(n.Operand)
		if err != nil {
			return nil, err
		}
		at, err := operand(n.Index)
		return index(v, at), err
	case *actionlint.NotOpNode:
		v, err := operand(n.Operand)
		return !truthy(v), err
	case *actionlint.CompareOpNode:
		return s.compare(n, depth)
	case *actionlint.LogicalOpNode:
		left, err := operand(n.Left)
		if err != nil || truthy(left) == (n.Kind == actionlint.LogicalOpNodeKindOr) {
			return left, err
		}
		return operand(n.Right)
	case *actionlint.FuncCallNode:
		return s.call(n, depth)
	}
	return nil, fmt.Errorf("expressions of the kind %T are not supported", node)
}

func (s scope) compare(n *actionlint.CompareOpNode, depth int) (any, error) {
	a, err := s.eval(n.Left, depth+1)
	if err != nil {
		return nil, err
	}
	b, err := s.eval(n.Right, depth+1)
	if err != nil {
		return nil, err
	}
	below, comparable := less(a, b)
	above, _ := less(b, a)
	switch n.Kind {
	case actionlint.CompareOpNodeKindEq:
		return equal(a, b), nil
	case actionlint.CompareOpNodeKindNotEq:
		return !equal(a, b), nil
	case actionlint.CompareOpNodeKindLess:
		return comparable && below, nil
	case actionlint.CompareOpNodeKindLessEq:
		return comparable && !above, nil
	case actionlint.CompareOpNodeKindGreater:
		return comparable && above, nil
	}
	return comparable && !below, nil
}
