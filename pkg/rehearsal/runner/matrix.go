package runner

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"
)

// maxMatrix is how many jobs a matrix makes at most. Source:
// https://docs.github.com/actions/reference/limits
const maxMatrix = 256

// axis is one key of a matrix with its values.
type axis struct {
	name   string
	values []any
}

// combinations are the jobs of a matrix, in the order of the file.
func combinations(m *actionlint.Matrix, s scope) ([]map[string]any, error) {
	axes, include, exclude, err := readMatrix(m, s)
	if err != nil {
		return nil, err
	}
	all := []map[string]any{{}}
	if len(axes) == 0 {
		all = nil
	}
	for _, a := range axes {
		var next []map[string]any
		for _, c := range all {
			for _, v := range a.values {
				with := maps.Clone(c)
				with[a.name] = v
				next = append(next, with)
			}
		}
		if all = next; len(all) > 16*maxMatrix {
			return nil, fmt.Errorf("the matrix has more than %d jobs", maxMatrix)
		}
	}
	var kept []map[string]any
	for _, c := range all {
		out := false
		for _, e := range exclude {
			out = out || covers(c, e)
		}
		if !out {
			kept = append(kept, c)
		}
	}
	kept = included(kept, include, axes)
	if len(kept) > maxMatrix {
		return nil, fmt.Errorf("the matrix has %d jobs, and at most %d are allowed", len(kept), maxMatrix)
	}
	return kept, nil
}

// included adds what `include` says: to each combination whose own values it does not change, otherwise as a
// combination of its own.
func included(all []map[string]any, include []map[string]any, axes []axis) []map[string]any {
	own := map[string]bool{}
	for _, a := range axes {
		own[a.name] = true
	}
	original := make([]map[string]any, len(all))
	for i, c := range all {
		original[i] = maps.Clone(c)
	}
	for _, more := range include {
		added := false
		for i, c := range original {
			fits := true
			for name, v := range more {
				if own[name] && !reflect.DeepEqual(c[name], v) {
					fits = false
				}
			}
			if fits {
				maps.Copy(all[i], more)
				added = true
			}
		}
		if !added {
			all = append(all, maps.Clone(more))
		}
	}
	return all
}

func covers(c, e map[string]any) bool {
	for name, v := range e {
		if !reflect.DeepEqual(c[name], v) {
			return false
		}
	}
	return true
}

// readMatrix evaluates the parts of a matrix.
func readMatrix(m *actionlint.Matrix, s scope) (axes []axis, include, exclude []map[string]any, err error) {
	if m.Expression != nil {
		v, err := s.value(m.Expression.Value)
		if err != nil {
			return nil, nil, nil, err
		}
		whole, ok := v.(map[string]any)
		if !ok {
			return nil, nil, nil, fmt.Errorf("the matrix is no object")
		}
		for _, name := range sorted(whole) {
			list, ok := items(whole[name])
			switch {
			case !ok:
				return nil, nil, nil, fmt.Errorf("%q of the matrix is no list", name)
			case name == "include" || name == "exclude":
				objects, err := objectsOf(name, list)
				if err != nil {
					return nil, nil, nil, err
				}
				if name == "include" {
					include = objects
				} else {
					exclude = objects
				}
			default:
				axes = append(axes, axis{name, list})
			}
		}
		return axes, include, exclude, nil
	}
	for _, name := range slices.SortedFunc(maps.Keys(m.Rows), func(a, b string) int { return cmp.Compare(lineOf(m.Rows[a]), lineOf(m.Rows[b])) }) {
		row := m.Rows[name]
		a := axis{name: name}
		if row.Expression != nil {
			if a.values, err = s.list(name, row.Expression); err != nil {
				return nil, nil, nil, err
			}
		}
		for _, raw := range row.Values {
			v, err := rawValue(raw, s)
			if err != nil {
				return nil, nil, nil, err
			}
			a.values = append(a.values, v)
		}
		axes = append(axes, a)
	}
	if include, err = readCombinations("include", m.Include, s); err == nil {
		exclude, err = readCombinations("exclude", m.Exclude, s)
	}
	return axes, include, exclude, err
}

// lineOf is where a key of a matrix stands: the order of its jobs is that of the file.
func lineOf(row *actionlint.MatrixRow) int {
	at := row.Expression
	if at == nil {
		at = row.Name
	}
	if at == nil || at.Pos == nil {
		return 0
	}
	return at.Pos.Line<<16 + at.Pos.Col
}

func readCombinations(name string, cs *actionlint.MatrixCombinations, s scope) ([]map[string]any, error) {
	if cs == nil {
		return nil, nil
	}
	if cs.Expression != nil {
		list, err := s.list(name, cs.Expression)
		if err != nil {
			return nil, err
		}
		return objectsOf(name, list)
	}
	var out []map[string]any
	for _, c := range cs.Combinations {
		if c.Expression != nil {
			v, err := s.value(c.Expression.Value)
			if err != nil {
				return nil, err
			}
			objects, err := objectsOf(name, []any{v})
			if err != nil {
				return nil, err
			}
			out = append(out, objects...)
			continue
		}
		one := map[string]any{}
		for _, a := range c.Assigns {
			v, err := rawValue(a.Value, s)
			if err != nil {
				return nil, err
			}
			one[a.Key.Value] = v
		}
		out = append(out, one)
	}
	return out, nil
}

// list evaluates what stands under a key of a matrix.
func (s scope) list(name string, e *actionlint.String) ([]any, error) {
	v, err := s.value(e.Value)
	if err != nil {
		return nil, err
	}
	list, ok := items(v)
	if !ok {
		return nil, fmt.Errorf("%q of the matrix is no list", name)
	}
	return list, nil
}

func objectsOf(name string, list []any) ([]map[string]any, error) {
	var out []map[string]any
	for _, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("an item under %q of the matrix is no object", name)
		}
		out = append(out, object)
	}
	return out, nil
}

// rawValue is a value as written in the file, with its expressions.
func rawValue(raw actionlint.RawYAMLValue, s scope) (any, error) {
	switch raw := raw.(type) {
	case *actionlint.RawYAMLObject:
		out := map[string]any{}
		for name, p := range raw.Props {
			v, err := rawValue(p, s)
			if err != nil {
				return nil, err
			}
			out[name] = v
		}
		return out, nil
	case *actionlint.RawYAMLArray:
		out := []any{}
		for _, e := range raw.Elems {
			v, err := rawValue(e, s)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case *actionlint.RawYAMLString:
		if strings.Contains(raw.Value, "${{") {
			return s.value(raw.Value)
		}
		if s.quoted[*raw.Pos()] {
			return raw.Value, nil
		}
		return scalar(raw.Value), nil
	}
	return nil, fmt.Errorf("a value of the matrix is of no known kind")
}

// scalar is a plain text of YAML with its type.
func scalar(text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return text
	}
	switch v := v.(type) {
	case bool, float64:
		return v
	case int:
		return float64(v)
	}
	return text
}
