package trace

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/terraform/jsonvalue"
	"github.com/metapipe/metapipe/pkg/text"
)

// edit is a place of variables.yml at which it differs from the one applied last: a
// key, or an element of a list.
type edit struct {
	steps         []string
	name          string   // for people: rules[0].port
	at            []string // where the line is: steps, but the list of an element that is gone
	before, after pipeline.Value
}

// difference holds two documents in one tree: what both say stands there once.
type difference struct {
	same   any                    // what both say, in a node without an edit
	edit   int                    // 1 + the index of the edit; 0 for none
	before jsonvalue.Side         // of an edit
	after  jsonvalue.Side         // of an edit
	object map[string]*difference // of two objects that differ
	list   []*difference          // of two lists that differ: the elements of both, in order
	isList bool
	known  [2]converted // the values of before and after
}

// way leads to a node.
type way struct {
	steps []string
	name  string
}

func (w way) key(key string) way {
	name := key
	if w.name != "" {
		name = w.name + "." + key
	}
	return way{steps: join(w.steps, []string{key}), name: name}
}

func (w way) index(i int) way {
	return way{steps: join(w.steps, []string{strconv.Itoa(i)}), name: fmt.Sprintf("%s[%d]", w.name, i)}
}

// compare appends the edits between two values to all.
func compare(at way, b, a jsonvalue.Side, all *[]edit) *difference {
	if b.Present && a.Present && jsonvalue.Equal(b.Value, a.Value) {
		return &difference{same: a.Value}
	}
	x, isX := b.Value.(map[string]any)
	y, isY := a.Value.(map[string]any)
	if isX && isY {
		d := &difference{object: map[string]*difference{}}
		for _, key := range keysOf(x, y) {
			d.object[key] = compare(at.key(key), jsonvalue.Child(b, x, key), jsonvalue.Child(a, y, key), all)
		}
		return d
	}
	if jsonvalue.IsList(b.Value) && jsonvalue.IsList(a.Value) {
		return compareLists(at, b.Value.([]any), a.Value.([]any), all)
	}
	return differs(at, at.steps, b, a, all)
}

func differs(at way, line []string, b, a jsonvalue.Side, all *[]edit) *difference {
	*all = append(*all, edit{steps: at.steps, name: at.name, at: line, before: jsonvalue.Show(b), after: jsonvalue.Show(a)})
	return &difference{edit: len(*all), before: b, after: a}
}

// compareLists pairs the elements that are the same thing; the others came or went.
func compareLists(at way, before, after []any, all *[]edit) *difference {
	old, planned := sides(before), sides(after)
	d := &difference{isList: true}
	from := text.Pair{}
	for _, same := range append(jsonvalue.SameElements(old, planned), text.Pair{A: len(old), B: len(planned)}) {
		gap := jsonvalue.Matching(old[from.A:same.A], planned[from.B:same.B])
		next := from
		for _, p := range append(gap, text.Pair{A: same.A - from.A, B: same.B - from.B}) {
			i, j := from.A+p.A, from.B+p.B
			for ; next.A < i; next.A++ {
				d.list = append(d.list, differs(at.index(next.A), at.steps, old[next.A], jsonvalue.Side{}, all))
			}
			for ; next.B < j; next.B++ {
				there := at.index(next.B)
				d.list = append(d.list, differs(there, there.steps, jsonvalue.Side{}, planned[next.B], all))
			}
			if i < same.A && j < same.B {
				d.list = append(d.list, compare(at.index(j), old[i], planned[j], all))
			}
			next = text.Pair{A: i + 1, B: j + 1}
		}
		if same.B < len(planned) {
			d.list = append(d.list, &difference{same: planned[same.B].Value})
		}
		from = text.Pair{A: same.A + 1, B: same.B + 1}
	}
	return d
}

func sides(list []any) []jsonvalue.Side {
	out := make([]jsonvalue.Side, len(list))
	for i, v := range list {
		out[i] = jsonvalue.Side{Value: v, Present: true}
	}
	return out
}

// value is the document with the edits that are applied, by their indexes, and without
// the others; false where it has no such place.
func (d *difference) value(applied []bool) (cty.Value, bool) {
	switch {
	case d.edit > 0 && applied[d.edit-1]:
		return d.known[1].of(d.after.Value), d.after.Present
	case d.edit > 0:
		return d.known[0].of(d.before.Value), d.before.Present
	case d.object != nil:
		object := make(map[string]cty.Value, len(d.object))
		for key, inner := range d.object {
			if v, ok := inner.value(applied); ok {
				object[key] = v
			}
		}
		return cty.ObjectVal(object), true
	case d.isList:
		list := make([]cty.Value, 0, len(d.list))
		for _, inner := range d.list {
			if v, ok := inner.value(applied); ok {
				list = append(list, v)
			}
		}
		return cty.TupleVal(list), true
	}
	return d.known[1].of(d.same), true
}

// converted keeps a value that was converted once.
type converted struct {
	value cty.Value
	done  bool
}

func (c *converted) of(value any) cty.Value {
	if !c.done {
		c.value, c.done = valueOf(value), true
	}
	return c.value
}

// valueOf is decoded JSON as the tools decode variables and YAML.
func valueOf(value any) cty.Value {
	switch v := value.(type) {
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	case json.Number:
		if number, err := cty.ParseNumberVal(v.String()); err == nil {
			return number
		}
		return cty.DynamicVal
	case map[string]any:
		object := make(map[string]cty.Value, len(v))
		for key, inner := range v {
			object[key] = valueOf(inner)
		}
		return cty.ObjectVal(object)
	case []any:
		list := make([]cty.Value, len(v))
		for i, inner := range v {
			list[i] = valueOf(inner)
		}
		return cty.TupleVal(list)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// maxMembers bounds the members of a collection that are shown.
const maxMembers = 10

// changed is one side of a value with only those members that differ, and of these the
// first ones.
func (d *difference) changed(after bool) jsonvalue.Side {
	switch {
	case d.edit > 0 && after:
		return d.after
	case d.edit > 0:
		return d.before
	case d.object != nil:
		object, shown := map[string]any{}, 0
		for _, key := range slices.Sorted(maps.Keys(d.object)) {
			inner := d.object[key]
			if !inner.differs() {
				continue
			}
			if shown++; shown > maxMembers {
				break
			}
			if side := inner.changed(after); side.Present {
				object[key] = side.Value
			}
		}
		return jsonvalue.Side{Value: object, Present: true}
	case d.isList:
		list, shown := []any{}, 0
		for _, inner := range d.list {
			if !inner.differs() {
				continue
			}
			if shown++; shown > maxMembers {
				break
			}
			if side := inner.changed(after); side.Present {
				list = append(list, side.Value)
			}
		}
		return jsonvalue.Side{Value: list, Present: true}
	}
	return jsonvalue.Side{}
}

func (d *difference) differs() bool { return d.edit > 0 || d.object != nil || d.isList }

// at is the node of some keys, nil where both documents say the same or one of them
// has no such place.
func (d *difference) at(steps []string) *difference {
	for _, step := range steps {
		if d == nil {
			return nil
		}
		d = d.object[step]
	}
	return d
}
