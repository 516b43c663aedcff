package trace

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// edit is a place of variables.yml at which it differs from the one applied last: a
// key, or an element of a list.
type edit struct {
	steps         []string
	name          string         // for people: rules[0].port
	at            []string       // where the line is: steps, but the list of an element that is gone
	before, after pipeline.Value // both absent: somewhere inside, or the order of a list
}

// difference holds two documents in one tree: what both say stands there once.
type difference struct {
	same   any                    // what both say, in a node without an edit
	edit   int                    // 1 + the index of the edit; 0 for none
	before jsonvalue.Side         // of an edit
	after  jsonvalue.Side         // of an edit
	object map[string]*difference // of two objects that differ
	list   []*difference          // of two lists that differ: the elements of both
	then   []int                  // list in the order of before
	now    []int                  // list in the order of after
	moved  int                    // 1 + the index of the edit that changes the order; 0 for none
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
// That elements changed places is an edit of the list.
func compareLists(at way, before, after []any, all *[]edit) *difference {
	old, planned := sides(before), sides(after)
	c := listComparison{at: at, old: old, planned: planned, pairs: jsonvalue.SameThings(old, planned), all: all}
	return c.tree()
}

// listComparison makes the tree of two lists.
type listComparison struct {
	at           way
	old, planned []jsonvalue.Side
	pairs        []text.Pair // by the places in old
	all          *[]edit
	nodes        []*difference
	stayed       []int // the nodes of the elements of planned; -1 for one that came
	gone         []int // the nodes of the elements of old; -1 for one that stays
}

func (c *listComparison) tree() *difference {
	c.stayed, c.gone = make([]int, len(c.planned)), make([]int, len(c.old))
	partner := make([]int, len(c.planned))
	for j := range partner {
		partner[j] = -1
	}
	for _, p := range c.pairs {
		partner[p.B], c.gone[p.A] = p.A, -1
	}
	for i, side := range c.old {
		if c.gone[i] == 0 {
			c.gone[i] = c.node(differs(c.at.index(i), c.at.steps, side, jsonvalue.Side{}, c.all))
		}
	}
	for j, side := range c.planned {
		there := c.at.index(j)
		if partner[j] < 0 {
			c.stayed[j] = c.node(differs(there, there.steps, jsonvalue.Side{}, side, c.all))
		} else {
			c.stayed[j] = c.node(compare(there, c.old[partner[j]], side, c.all))
		}
	}
	d := &difference{isList: true, list: c.nodes}
	d.now = c.order(partner, true)
	d.then = c.order(partner, false)
	if !slices.IsSortedFunc(c.pairs, func(a, b text.Pair) int { return cmp.Compare(a.B, b.B) }) {
		*c.all = append(*c.all, edit{steps: c.at.steps, name: c.at.name, at: c.at.steps})
		d.moved = len(*c.all)
	}
	return d
}

func (c *listComparison) node(d *difference) int {
	c.nodes = append(c.nodes, d)
	return len(c.nodes) - 1
}

// order is that of all nodes as the elements stand now, or as they stood then. An element
// of the other list alone follows the one that it follows there: first those that went.
func (c *listComparison) order(partner []int, now bool) []int {
	went, came := map[int][]int{}, map[int][]int{} // by the node of the element before
	byOld := make([]int, len(c.old))
	previous := -1
	for j, i := range partner {
		if i < 0 {
			came[previous] = append(came[previous], c.stayed[j])
			continue
		}
		previous, byOld[i] = c.stayed[j], c.stayed[j]
	}
	previous = -1
	for i, node := range c.gone {
		if node >= 0 {
			went[previous] = append(went[previous], node)
			continue
		}
		previous = byOld[i]
	}
	out := append(slices.Clone(went[-1]), came[-1]...)
	follow := func(node int) { out = append(append(append(out, node), went[node]...), came[node]...) }
	if now {
		for j, i := range partner {
			if i >= 0 {
				follow(c.stayed[j])
			}
		}
		return out
	}
	for i, node := range c.gone {
		if node < 0 {
			follow(byOld[i])
		}
	}
	return out
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
		order := d.now
		if d.moved > 0 && !applied[d.moved-1] {
			order = d.then
		}
		for _, i := range order {
			if v, ok := d.list[i].value(applied); ok {
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
