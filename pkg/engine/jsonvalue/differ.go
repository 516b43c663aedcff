package jsonvalue

import (
	"slices"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// differ compares two objects and keeps the leaf paths that differ.
type differ struct {
	changes []pipeline.AttributeChange
	path    []byte   // text of the path at hand
	steps   []string // its steps
	replace [][]string
}

// Differences lists the leaf paths that differ between two objects, in the order of the
// paths. Those that replace names, or leads to, are marked.
func Differences(before, after Side, replace [][]string) []pipeline.AttributeChange {
	d := &differ{replace: replace}
	d.compare(before, after)
	return d.changes
}

func (d *differ) compare(b, a Side) {
	hidden := b.Sensitive == true && b.Present || a.Sensitive == true && (a.Present || a.Unknown == true)
	switch {
	case hidden && len(d.path) > 0:
		same := a.Unknown != true && b.Present == a.Present && Equal(b.Value, a.Value) &&
			(b.Sensitive == true) == (a.Sensitive == true) && !ContainsTrue(a.Unknown)
		if !same {
			d.leaf(Hide(b, true), Hide(a, true))
		}
	case a.Unknown == true && len(d.path) > 0:
		d.leaf(Show(b), pipeline.Value{Unknown: true})
	case IsObject(b.Value) && !IsList(a.Value) && (IsObject(a.Value) || !a.Present),
		IsObject(a.Value) && !b.Present,
		!b.Present && !a.Present && IsObject(a.Unknown):
		d.object(b, a)
	case IsList(b.Value) && (IsList(a.Value) || !a.Present),
		IsList(a.Value) && !b.Present,
		!b.Present && !a.Present && IsList(a.Unknown):
		d.list(b, a)
	default:
		if (b.Present != a.Present || !Equal(b.Value, a.Value)) && !d.jsonTexts(b, a) {
			d.leaf(Show(b), Show(a))
		}
	}
}

// leaf notes a difference at the path at hand. An object as a whole (no path)
// shows nothing: it can only be hidden altogether.
func (d *differ) leaf(before, after pipeline.Value) {
	if before.Absent() && after.Absent() {
		return
	}
	d.changes = append(d.changes, pipeline.AttributeChange{
		Path: string(d.path), Before: before, After: after, ForcesReplacement: d.forces(),
	})
}

// forces reports whether a path of replace_paths leads here, or goes on from here.
func (d *differ) forces() bool {
	return slices.ContainsFunc(d.replace, func(path []string) bool {
		n := min(len(path), len(d.steps))
		return slices.Equal(path[:n], d.steps[:n])
	})
}

func (d *differ) object(b, a Side) {
	before, _ := b.Value.(map[string]any)
	after, _ := a.Value.(map[string]any)
	unknown, _ := a.Unknown.(map[string]any)
	// The whole resource may be marked: then each attribute is.
	if len(before)+len(after)+len(unknown) == 0 {
		d.empty(b, a)
		return
	}
	keys := make([]string, 0, max(len(before), len(after)))
	for key := range before {
		keys = append(keys, key)
	}
	for key := range after {
		if _, ok := before[key]; !ok {
			keys = append(keys, key)
		}
	}
	for key, mark := range unknown {
		_, inBefore := before[key]
		_, inAfter := after[key]
		if !inBefore && !inAfter && ContainsTrue(mark) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	top := len(d.path) == 0
	for _, key := range keys {
		x := Child(b, before, key)
		y := Child(a, after, key)
		// null is "not set" for an attribute, but a value in a map.
		x.Present = x.Present && (x.Value != nil || !top && a.Present)
		y.Present = y.Present && (y.Value != nil || !top && b.Present)
		mark := d.pushKey(key)
		d.compare(x, y)
		d.pop(mark)
	}
}

// empty compares two containers without content, one of which may be absent.
func (d *differ) empty(b, a Side) {
	if b.Present != a.Present && len(d.path) > 0 {
		d.leaf(Show(b), Show(a))
	}
}

func (d *differ) pushKey(key string) int {
	mark := len(d.path)
	switch {
	case !IsIdentifier(key):
		d.path = append(d.path, '[')
		d.path = AppendString(d.path, key)
		d.path = append(d.path, ']')
	case mark > 0:
		d.path = append(append(d.path, '.'), key...)
	default:
		d.path = append(d.path, key...)
	}
	d.steps = append(d.steps, key)
	return mark
}

func (d *differ) pushIndex(i int) int {
	mark := len(d.path)
	d.path = append(d.path, '[')
	d.path = strconv.AppendInt(d.path, int64(i), 10)
	d.path = append(d.path, ']')
	d.steps = append(d.steps, strconv.Itoa(i))
	return mark
}

// pushElement stands for an element that is in one list only: its index says
// nothing to a reader, but may be what forces a replacement.
func (d *differ) pushElement(i int) int {
	mark := len(d.path)
	d.path = append(d.path, "[]"...)
	d.steps = append(d.steps, strconv.Itoa(i))
	return mark
}

func (d *differ) pop(mark int) {
	d.path = d.path[:mark]
	d.steps = d.steps[:len(d.steps)-1]
}
