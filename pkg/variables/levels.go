package variables

import (
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// levels finds keys at another level of indentation than the schema has them at: an
// environment or a key of the top level inside of an environment, and the content of a
// map beside its key. It reports only what explains one of the refusals of the schema,
// and covers the lines, so that these are not reported as well.
func (d *Document) levels(refused pipeline.Problems) pipeline.Problems {
	l := levelCheck{d: d, refused: make(map[pipeline.Position]bool, len(refused))}
	for _, p := range refused {
		p.File = ""
		l.refused[p.Position] = true
	}
	l.beside(d.root, nil)
	if all := d.root.Get(environmentsKey); all != nil {
		for _, env := range all.Entries {
			l.inside(env)
			l.beside(env.Value, []string{environmentsKey, env.Key})
		}
	}
	return l.problems
}

type levelCheck struct {
	d        *Document
	refused  map[pipeline.Position]bool
	problems pipeline.Problems
}

// inside looks for environments and keys of the top level inside of an environment.
func (l *levelCheck) inside(env strictyaml.Entry) {
	for _, e := range env.Value.Entries {
		if !l.refused[e.KeyPlace()] {
			continue
		}
		name := strictyaml.Short(e.Key)
		switch {
		case l.d.isEnvironment(e):
			l.report(e, fmt.Sprintf("%q has the settings of an environment and stands inside of %q", name, strictyaml.Short(env.Key)),
				fmt.Sprintf("%s: %q is an environment", l.d.move(env.Value, e, env.Column), name))
		case l.d.isTopKey(e):
			l.report(e, fmt.Sprintf("%q is a key of the top level and stands inside of %q", name, strictyaml.Short(env.Key)),
				l.d.move(env.Value, e, 1)+": "+theyBelong([]strictyaml.Entry{e})+" to the top level")
		}
	}
}

// beside looks for the content of a map that stands at the level of its key, in the
// map at path and below.
func (l *levelCheck) beside(n *strictyaml.Node, path []string) {
	schema := l.d.schema
	for i, e := range n.Entries {
		inside := append(slices.Clone(path), e.Key)
		if len(path) == 0 && e.Key == environmentsKey {
			continue
		}
		l.beside(e.Value, inside)
		if e.Value.Kind != strictyaml.Null || !schema.IsMap(inside) {
			continue
		}
		run := n.Entries[i+1:]
		for k, below := range run {
			if schema.Names(path, below.Key) || schema.Closed(inside) && !schema.Names(inside, below.Key) || l.d.isEnvironment(below) {
				run = run[:k]
				break
			}
		}
		if len(run) == 0 || !l.refused[e.Place()] && !l.refused[run[0].KeyPlace()] {
			continue
		}
		l.report(e, fmt.Sprintf("%q has no value, where a map is expected, and the keys below it stand at its own level", strictyaml.Short(e.Key)),
			fmt.Sprintf("indent %s: %s to %q", l.d.lines(run), theyBelong(run), strictyaml.Short(e.Key)))
		l.d.covered = append(l.d.covered, run...)
	}
}

func (l *levelCheck) report(e strictyaml.Entry, message, remedy string) {
	l.d.covered = append(l.d.covered, e)
	l.problems = append(l.problems, l.d.problem(e.KeyPlace(), RuleIndentation, message, remedy)...)
}

// isTopKey reports that the schema has the key at the top level only.
func (d *Document) isTopKey(e strictyaml.Entry) bool {
	return d.schema.Names(nil, e.Key) && !d.schema.Names([]string{environmentsKey, defaultName}, e.Key)
}

// topKeysAmong finds keys of the top level among the environments, which the customer
// cannot have meant as environments.
func (d *Document) topKeysAmong(all strictyaml.Entry) (problems pipeline.Problems, found map[string]bool) {
	found = make(map[string]bool)
	settings := d.schema.Keys(environmentsKey, "*")
	if len(settings) == 0 {
		return nil, found
	}
	for _, e := range all.Value.Entries {
		if !d.isTopKey(e) || slices.Contains(settings, e.Key) || slices.Contains(d.allowed, pipeline.Environment(e.Key)) ||
			e.Value.Kind == strictyaml.Null || e.Value.Kind == strictyaml.Object && (len(e.Value.Entries) == 0 || d.hasSettings(e, settings)) {
			continue
		}
		found[e.Key] = true
		d.covered = append(d.covered, e)
		problems = append(problems, d.problem(e.KeyPlace(), RuleIndentation, fmt.Sprintf("%q is a key of the top level and stands among the environments", strictyaml.Short(e.Key)),
			d.move(all.Value, e, all.Column)+": "+theyBelong([]strictyaml.Entry{e})+" to the top level")...)
	}
	return problems, found
}

func (d *Document) hasSettings(e strictyaml.Entry, settings []string) bool {
	return slices.ContainsFunc(e.Value.Entries, func(s strictyaml.Entry) bool { return slices.Contains(settings, s.Key) })
}

// move says how to bring an entry of a map to a column.
func (d *Document) move(parent *strictyaml.Node, e strictyaml.Entry, column int) string {
	run := []strictyaml.Entry{e}
	by := e.Column - column
	if first := parent.Entries[0]; by <= 0 || first.KeyPlace() != (pipeline.Position{Line: parent.Line, Column: parent.Column}) { // a map in braces
		return fmt.Sprintf("move %s out of the map that holds it", d.lines(run))
	}
	spaces := "spaces"
	if by == 1 {
		spaces = "space"
	}
	return fmt.Sprintf("move %s left by %d %s", d.lines(run), by, spaces)
}
