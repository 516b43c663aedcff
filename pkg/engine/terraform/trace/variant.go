package trace

import (
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	maxVariants    = 400     // documents that are made to explain one plan
	maxKept        = 64      // of them in memory
	maxEvaluations = 200_000 // of expressions, for one plan
	maxPlaces      = 20      // maps and lists that are tried as a whole, for one outcome
)

// variants are the customer's documents as they would be with some of the edits.
type variants struct {
	difference *difference
	edits      []edit
	env        pipeline.Environment
	kept       map[string]*variant
	order      []string
	made       int
	evaluated  int
}

// variant is one of them, with the values that were computed from it.
type variant struct {
	config cty.Value
	values map[string]cty.Value // of typed variables
	known  map[string]cty.Value // locals, variables and collections, by their names
	busy   map[string]bool
}

// spent reports that the work for one plan is at its bound.
func (d *variants) spent() bool { return d.made > maxVariants || d.evaluated > maxEvaluations }

// with is the document with the edits in force, by their indexes.
func (d *variants) with(applied []bool) (*variant, bool) {
	id := make([]byte, len(applied))
	for i, is := range applied {
		if is {
			id[i] = 1
		}
	}
	if v, ok := d.kept[string(id)]; ok {
		return v, true
	}
	if d.made++; d.spent() {
		return nil, false
	}
	v, ok := d.make(applied)
	if !ok {
		return nil, false
	}
	if len(d.order) == maxKept { // the first two are the documents themselves
		delete(d.kept, d.order[2])
		d.order = slices.Delete(d.order, 2, 3)
	}
	d.kept[string(id)], d.order = v, append(d.order, string(id))
	return v, true
}

func (d *variants) make(applied []bool) (*variant, bool) {
	config, _ := d.difference.value(applied)
	if !config.Type().IsObjectType() {
		return nil, false
	}
	v := &variant{config: config, values: map[string]cty.Value{}, known: map[string]cty.Value{}, busy: map[string]bool{}}
	v.layer(config)
	if environments, ok := memberOf(config, "environments"); ok {
		if own, ok := memberOf(environments, string(d.env)); ok {
			v.layer(own)
		}
	}
	return v, true
}

// layer lays the keys of an object over the typed variables.
func (v *variant) layer(object cty.Value) {
	if !object.Type().IsObjectType() || object.IsNull() {
		return
	}
	for name := range object.Type().AttributeTypes() {
		v.values[name] = object.GetAttr(name)
	}
}

// source is the document as JSON, which is YAML.
func (v *variant) source() (string, bool) {
	value := v.once("source", func() cty.Value {
		text, ok := textOf(v.config)
		if !ok {
			return cty.DynamicVal
		}
		return cty.StringVal(text)
	})
	if !value.IsKnown() {
		return "", false
	}
	return value.AsString(), true
}

// outcome is what something comes to in a variant, as text; false when that is not known.
type outcome func(*variant) (string, bool)

// search finds the edits without which the outcome would be another one. It is false
// where the outcome cannot be computed. key is that of the instance in question:
// edits of what has this key are tried first.
func (d *variants) search(of outcome, key string) ([]edit, bool) {
	all := make([]int, len(d.edits))
	for i := range all {
		all[i] = i
	}
	before, ok := d.outcome(of, nil, true)
	if !ok {
		return nil, false
	}
	after, ok := d.outcome(of, nil, false)
	if !ok {
		return nil, false
	}
	if before == after {
		return nil, true
	}
	likely, rest := d.split(all, key)
	for _, taken := range []bool{false, true} {
		// First: what is another one without the edit. Then, where two edits do the same
		// each by itself: what the edit alone changes.
		reference := after
		if taken {
			reference = before
		}
		found := append(d.narrow(of, likely, taken, reference), d.narrow(of, rest, taken, reference)...)
		if d.spent() {
			return nil, false
		}
		if len(found) > 0 {
			return d.named(found), true
		}
	}
	return d.together(of, before, after)
}

// together is the deepest map or list of which the edits make the outcome another one
// only with each other.
func (d *variants) together(of outcome, before, after string) ([]edit, bool) {
	groups := map[string][]int{}
	var places [][]string
	for i, x := range d.edits {
		for n := 1; n <= len(x.at); n++ { // an element that is gone has no place of its own
			id := strings.Join(x.steps[:n], "\x00")
			if groups[id] == nil {
				places = append(places, x.steps[:n])
			}
			groups[id] = append(groups[id], i)
		}
	}
	places = slices.DeleteFunc(places, func(place []string) bool { return len(groups[strings.Join(place, "\x00")]) < 2 })
	slices.SortStableFunc(places, func(a, b []string) int { return len(b) - len(a) })
	for _, place := range places[max(0, len(places)-maxPlaces):] {
		group := groups[strings.Join(place, "\x00")]
		without, ok := d.outcome(of, group, false)
		explains := ok && without != after
		if !explains {
			with, ok := d.outcome(of, group, true)
			explains = ok && with != before
		}
		if d.spent() {
			return nil, false
		}
		if explains {
			return []edit{d.collection(place)}, true
		}
	}
	return nil, false
}

func (d *variants) named(found []int) []edit {
	slices.Sort(found)
	var out []edit
	for _, i := range found {
		out = append(out, d.edits[i])
	}
	return out
}

// split puts the edits apart that have the key among their steps.
func (d *variants) split(all []int, key string) (likely, rest []int) {
	for _, i := range all {
		if key != "" && slices.Contains(d.edits[i].steps, key) {
			likely = append(likely, i)
		} else {
			rest = append(rest, i)
		}
	}
	return likely, rest
}

// narrow halves a group of edits until those are left that make a difference each.
// With taken they are applied to the document of before, else left out of the one of now.
func (d *variants) narrow(of outcome, group []int, taken bool, reference string) []int {
	if len(group) == 0 || d.spent() {
		return nil
	}
	got, ok := d.outcome(of, group, taken)
	if ok && got == reference {
		return nil
	}
	if len(group) == 1 {
		if !ok {
			return nil // it fails, or is not known: it says nothing about the outcome
		}
		return group
	}
	half := len(group) / 2
	return append(slices.Clone(d.narrow(of, group[:half], taken, reference)), d.narrow(of, group[half:], taken, reference)...)
}

// outcome is that of the document of before with the edits of a group, taken, or that
// of now without them.
func (d *variants) outcome(of outcome, group []int, taken bool) (string, bool) {
	applied := d.all(!taken)
	for _, i := range group {
		applied[i] = taken
	}
	v, ok := d.with(applied)
	if !ok {
		return "", false
	}
	return of(v)
}

// all says of each edit whether it is applied.
func (d *variants) all(applied bool) []bool {
	out := make([]bool, len(d.edits))
	for i := range out {
		out[i] = applied
	}
	return out
}

// collection is a map or a list that differs. Which of its members count is not known,
// so that none is shown.
func (d *variants) collection(steps []string) edit {
	return edit{steps: steps, name: nameOf(steps), at: steps}
}

func nameOf(steps []string) string {
	var at way
	for _, step := range steps {
		if i, err := strconv.Atoi(step); err == nil && at.name != "" {
			at = at.index(i)
		} else {
			at = at.key(step)
		}
	}
	return at.name
}
