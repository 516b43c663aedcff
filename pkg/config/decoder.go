package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// decoder turns the tree of one file into values and collects what is wrong.
type decoder struct {
	file     string
	problems pipeline.Problems
	// blind says that metapipe.yml has errors: a customer's file is not compared with it.
	blind bool
	// stacked says that metapipe.yml declares stacks, which templates may then name.
	stacked bool
}

// value is one value of the file with its place and its name for messages.
type value struct {
	*strictyaml.Node
	name string
	at   pipeline.Position
}

// fields are the keys of a map, each with what reads its value.
type fields map[string]func(value)

func (d *decoder) add(at pipeline.Position, rule, message, remedy string) {
	at.File = d.file
	d.problems = append(d.problems, pipeline.Problem{Position: at, Rule: rule, Message: message, Remedy: remedy})
}

func (d *decoder) warn(at pipeline.Position, rule, message, remedy string) {
	d.add(at, rule, message, remedy)
	d.problems[len(d.problems)-1].Warning = true
}

// top is the whole file as a value.
func top(n *strictyaml.Node) value {
	at, _ := n.Locate()
	return value{Node: n, at: at}
}

// read hands the value of every known key to its reader, in file order, and
// reports the others.
func (d *decoder) read(v value, known fields) {
	if !d.is(v, strictyaml.Object) {
		return
	}
	for _, e := range v.Entries {
		name := e.Key
		if v.name != "" {
			name = v.name + "." + e.Key
		}
		reader, ok := known[e.Key]
		if !ok {
			d.unknown(e, name, slices.Sorted(maps.Keys(known)))
			continue
		}
		reader(value{Node: e.Value, name: name, at: e.Place()})
	}
}

func (d *decoder) unknown(e strictyaml.Entry, name string, known []string) {
	remedy := "remove it; known are: " + strings.Join(known, ", ")
	if like := pipeline.Nearest(e.Key, known); like != "" {
		remedy = fmt.Sprintf("did you mean %q?", like)
	}
	d.add(e.KeyPlace(), RuleUnknownKey, fmt.Sprintf("the key %q is not known", strictyaml.Short(name)), remedy)
}

// is checks the kind of a value and reports another.
func (d *decoder) is(v value, kind strictyaml.Kind) bool {
	if v.Kind == kind {
		return true
	}
	name := v.name
	if name == "" {
		name = "the file"
	}
	d.add(v.at, RuleType, fmt.Sprintf("%s is %s, where %s is expected", name, v.Kind, kind), d.form(v, kind))
	return false
}

func (d *decoder) text(v value) (string, bool) {
	if !d.is(v, strictyaml.String) {
		return "", false
	}
	if v.Text == "" {
		d.add(v.at, RuleValue, v.name+" is empty", "write a value"+d.orRemove(v))
		return "", false
	}
	return v.Text, true
}

func (d *decoder) boolean(v value) bool {
	return d.is(v, strictyaml.Bool) && v.Text == "true"
}

// number reads a whole number.
func (d *decoder) number(v value) (int64, bool) {
	if !d.is(v, strictyaml.Number) {
		return 0, false
	}
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if err != nil {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %s, which is not a whole number that fits", v.name, v.Written()), "write a whole number")
		return 0, false
	}
	return n, true
}

// list calls read for every item; an empty list is a problem, since leaving the
// key out says the same and cannot be mistaken.
func (d *decoder) list(v value, read func(value)) {
	if !d.is(v, strictyaml.Array) {
		return
	}
	if len(v.Items) == 0 {
		d.add(v.at, RuleValue, v.name+" is an empty list", "name at least one item"+d.orRemove(v))
	}
	for i, item := range v.Items {
		read(value{Node: item, name: fmt.Sprintf("%s[%d]", v.name, i), at: pipeline.Position{Line: item.Line, Column: item.Column}})
	}
}

// choice reads one of a few words.
func (d *decoder) choice(v value, words ...string) (string, bool) {
	s, ok := d.text(v)
	if !ok {
		return "", false
	}
	if slices.Contains(words, s) {
		return s, true
	}
	remedy := "use one of: " + strings.Join(words, ", ")
	if like := pipeline.Nearest(s, words); like != "" {
		remedy = fmt.Sprintf("did you mean %q? Allowed are: %s", like, strings.Join(words, ", "))
	}
	d.add(v.at, RuleValue, fmt.Sprintf("%s is %q", v.name, strictyaml.Short(s)), remedy)
	return "", false
}
