package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/metapipe/metapipe/pkg/text"
)

// function is one that expressions can call, with the least and the most arguments it takes.
type function struct {
	least, most int
	call        func(args []any) (any, error)
}

// many is more arguments than an expression has.
const many = 255

// functions are those that need nothing but their arguments, by their names in lower case.
var functions = map[string]function{
	"contains": {2, 2, func(a []any) (any, error) {
		if list, ok := items(a[0]); ok {
			return slices.ContainsFunc(list, func(item any) bool { return equal(item, a[1]) }), nil
		}
		return strings.Contains(strings.ToLower(format(a[0])), strings.ToLower(format(a[1]))), nil
	}},
	"startswith": {2, 2, func(a []any) (any, error) {
		return strings.HasPrefix(strings.ToLower(format(a[0])), strings.ToLower(format(a[1]))), nil
	}},
	"endswith": {2, 2, func(a []any) (any, error) {
		return strings.HasSuffix(strings.ToLower(format(a[0])), strings.ToLower(format(a[1]))), nil
	}},
	"join": {1, 2, func(a []any) (any, error) {
		separator := ","
		if len(a) == 2 {
			separator = format(a[1])
		}
		list, ok := items(a[0])
		if !ok {
			return format(a[0]), nil
		}
		words := make([]string, len(list))
		for i, item := range list {
			words[i] = format(item)
		}
		return strings.Join(words, separator), nil
	}},
	"case": {3, many, func(a []any) (any, error) {
		for i := 0; i+1 < len(a); i += 2 {
			if truthy(a[i]) {
				return a[i+1], nil
			}
		}
		if len(a)%2 == 0 {
			return nil, errors.New("case needs a value for when no condition holds")
		}
		return a[len(a)-1], nil
	}},
	"format": {1, many, func(a []any) (any, error) { return formatted(format(a[0]), a[1:]) }},
	"tojson": {1, 1, func(a []any) (any, error) { return toJSON(a[0]) }},
	"fromjson": {1, 1, func(a []any) (any, error) {
		var v any
		if err := json.Unmarshal([]byte(format(a[0])), &v); err != nil {
			return nil, fmt.Errorf("fromJSON: %w", err)
		}
		return v, nil
	}},
}

func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case filtered:
		return v, true
	}
	return nil, false
}

// call calls a function. Arguments are evaluated in their order.
func (s scope) call(n *actionlint.FuncCallNode, depth int) (any, error) {
	args := make([]any, len(n.Args))
	for i, arg := range n.Args {
		v, err := s.eval(arg, depth+1)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	name := strings.ToLower(n.Callee)
	switch {
	case slices.Contains(statusFunctions, name):
		if s.status == nil {
			return nil, fmt.Errorf("the function %s is not available here", n.Callee)
		}
		return s.status(name), nil
	case name == "hashfiles":
		if s.files == nil || len(args) == 0 {
			return nil, fmt.Errorf("the function %s is not available here, or has no pattern", n.Callee)
		}
		patterns := make([]string, len(args))
		for i, arg := range args {
			patterns[i] = format(arg)
		}
		return s.files(patterns)
	}
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("the function %s is not known", n.Callee)
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, fmt.Errorf("the function %s does not take %d arguments", n.Callee, len(args))
	}
	return f.call(args)
}

var placeholder = text.Pattern(`\{\{|\}\}|\{(\d+)\}|[{}]`)

// formatted replaces {N} by the N-th of the values; two braces are one.
func formatted(pattern string, values []any) (string, error) {
	var problem error
	out := placeholder().ReplaceAllStringFunc(pattern, func(hit string) string {
		switch hit {
		case "{{", "}}":
			return hit[:1]
		case "{", "}":
			problem = fmt.Errorf("format: %q has a brace that is not closed; write two for one", pattern)
			return hit
		}
		n, err := strconv.Atoi(strings.Trim(hit, "{}"))
		if err != nil || n >= len(values) {
			problem = fmt.Errorf("format: %q names %s, and there are %d values", pattern, hit, len(values))
			return hit
		}
		return format(values[n])
	})
	return out, problem
}
