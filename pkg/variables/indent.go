package variables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// RuleIndentation is a key that stands at another level than it belongs to.
const RuleIndentation = "indentation"

// settings are the keys that an environment may have: those of the schema, and
// without any those that the environments of the file have.
func (d *Document) settings() []string {
	known := d.schema.Keys(environmentsKey, "*")
	if len(known) > 0 {
		return known
	}
	if all := d.root.Get(environmentsKey); all != nil {
		for _, env := range all.Entries {
			for _, e := range env.Value.Entries {
				known = append(known, e.Key)
			}
		}
	}
	return known
}

// outdented finds settings at the level of the environments. Handled are the
// entries that need no further problem.
func (d *Document) outdented(all *strictyaml.Node) (problems pipeline.Problems, handled map[string]bool) {
	handled = make(map[string]bool)
	known := d.settings()
	for i := 0; i < len(all.Entries); {
		run := i
		for run < len(all.Entries) && isOutdented(all.Entries, i, run, known) {
			run++
		}
		if run == i {
			i++
			continue
		}
		owner := ""
		if i > 0 {
			owner = all.Entries[i-1].Key
			handled[owner] = true
		}
		problems = append(problems, d.indentProblem(all.Entries[i:run], owner)...)
		for _, e := range all.Entries[i:run] {
			handled[e.Key] = true
		}
		i = run
	}
	return problems, handled
}

// isOutdented reports that the entry at belongs below the one before start: it
// is a known setting, or it is no map while that one has nothing in it.
func isOutdented(entries []strictyaml.Entry, start, at int, known []string) bool {
	e := entries[at]
	setting := slices.Contains(known, e.Key)
	if start == 0 {
		return setting && e.Value.Kind != strictyaml.Object
	}
	flat := e.Value.Kind != strictyaml.Object && e.Value.Kind != strictyaml.Null
	if entries[start-1].Value.Kind != strictyaml.Null {
		return setting && e.Value.Kind != strictyaml.Object
	}
	// Below an empty environment a misspelled setting may follow a known one.
	return setting || flat && (at > start || len(known) == 0)
}

func (d *Document) indentProblem(run []strictyaml.Entry, owner string) pipeline.Problems {
	what := fmt.Sprintf("the setting %q stands", strictyaml.Short(run[0].Key))
	if len(run) > 1 {
		what = fmt.Sprintf("%d settings from %q on stand", len(run), strictyaml.Short(run[0].Key))
	}
	if owner == "" {
		return d.problem(run[0].KeyPlace(), RuleIndentation, what+" where the name of an environment is expected",
			"write the name of the environment above, and indent "+d.lines(run)+" below it")
	}
	return d.problem(run[0].KeyPlace(), RuleIndentation, what+" at the level of the environments",
		fmt.Sprintf("indent %s: %s to %q", d.lines(run), theyBelong(run), strictyaml.Short(owner)))
}

func theyBelong(run []strictyaml.Entry) string {
	if run[0].Line == lastLine(run[len(run)-1].Value) {
		return "it belongs"
	}
	return "they belong"
}

// lines names the lines of entries, without the environments below one of them
// that are indented as they should be.
func (d *Document) lines(run []strictyaml.Entry) string {
	var spans [][2]int
	joined := false
	for _, e := range run {
		last, whole := d.ownLines(e)
		if n := len(spans); joined && !d.between(spans[n-1][1], e.Line) {
			spans[n-1][1] = last
		} else {
			spans = append(spans, [2]int{e.Line, last})
		}
		joined = whole
	}
	words := make([]string, len(spans))
	for i, s := range spans {
		words[i] = fmt.Sprintf("%d–%d", s[0], s[1])
		if s[0] == s[1] {
			words[i] = fmt.Sprint(s[0])
		}
	}
	if len(spans) == 1 && spans[0][0] == spans[0][1] {
		return "line " + words[0]
	}
	return "lines " + strings.Join(words, " and ")
}

// ownLines is the last line of an entry before the first environment below it;
// whole says that there is none.
func (d *Document) ownLines(e strictyaml.Entry) (last int, whole bool) {
	last = e.Line
	for _, child := range e.Value.Entries {
		if d.isEnvironment(child) {
			return last, false
		}
		last = max(last, child.Line, lastLine(child.Value))
	}
	return max(last, lastLine(e.Value)), true
}

// between reports that a top-level key stands between two lines.
func (d *Document) between(after, before int) bool {
	return slices.ContainsFunc(d.root.Entries, func(e strictyaml.Entry) bool { return e.Line > after && e.Line < before })
}

// isEnvironment reports that an entry has the settings of an environment.
func (d *Document) isEnvironment(e strictyaml.Entry) bool {
	known := d.settings()
	if e.Value.Kind != strictyaml.Object || slices.Contains(known, e.Key) {
		return false
	}
	settings, other := 0, 0
	for _, setting := range e.Value.Entries {
		switch {
		case slices.Contains(known, setting.Key):
			settings++
		case setting.Value.Kind != strictyaml.Object:
			other++
		}
	}
	return settings > 0 && settings >= other
}

func lastLine(n *strictyaml.Node) int {
	last := n.Line
	n.Walk(func(_ []string, v *strictyaml.Node) {
		last = max(last, v.Line)
		for _, e := range v.Entries {
			last = max(last, e.Line)
		}
	})
	return last
}

// below returns the top-level entries behind `environments` that nothing but
// their indentation keeps out of it.
func (d *Document) below() []strictyaml.Entry {
	known := d.schema.Keys()
	i := slices.IndexFunc(d.root.Entries, func(e strictyaml.Entry) bool { return e.Key == environmentsKey })
	run := d.root.Entries[i+1:]
	for n, e := range run {
		if slices.Contains(known, e.Key) || n == 0 && e.Value.Kind != strictyaml.Object && e.Value.Kind != strictyaml.Null {
			return run[:n]
		}
	}
	return run
}

// settingsBelow are the settings at the top level directly behind the last
// environment, which is empty.
func (d *Document) settingsBelow(env strictyaml.Entry) []strictyaml.Entry {
	known := d.settings()
	i := slices.IndexFunc(d.root.Entries, func(e strictyaml.Entry) bool { return e.Key == environmentsKey })
	all := d.root.Entries[i].Value.Entries
	if all[len(all)-1].Key != env.Key {
		return nil
	}
	run := d.root.Entries[i+1:]
	for n, e := range run {
		if !slices.Contains(known, e.Key) {
			return run[:n]
		}
	}
	return run
}

// strayEnvironments warns of maps at the top level that hold the settings of an
// environment: an environment that is not indented would be left out in silence.
func (d *Document) strayEnvironments() pipeline.Problems {
	var problems pipeline.Problems
	for _, e := range d.strays() {
		run := []strictyaml.Entry{e}
		found := d.problem(e.KeyPlace(), RuleIndentation, fmt.Sprintf("%q has the settings of an environment and stands outside of \"environments\", so nothing is deployed to it", strictyaml.Short(e.Key)),
			fmt.Sprintf("indent %s if they belong to %q", d.lines(run), environmentsKey))
		found[0].Warning = true
		problems = append(problems, found...)
	}
	return append(problems, d.straySettings()...)
}

// strays are the environments at the top level.
func (d *Document) strays() (found []strictyaml.Entry) {
	top := d.schema.Keys()
	for _, e := range d.root.Entries {
		if e.Key != environmentsKey && !slices.Contains(top, e.Key) && d.isEnvironment(e) {
			found = append(found, e)
		}
	}
	return found
}

// straySettings warns of settings at the top level directly behind the
// environments, which the schema names for an environment only.
func (d *Document) straySettings() pipeline.Problems {
	top, known := d.schema.Keys(), d.schema.Keys(environmentsKey, "*")
	i := slices.IndexFunc(d.root.Entries, func(e strictyaml.Entry) bool { return e.Key == environmentsKey })
	var problems pipeline.Problems
	envs := d.root.Entries[i].Value.Entries
	if envs[len(envs)-1].Value.Kind == strictyaml.Null {
		return nil // environmentNotMap names them
	}
	for _, e := range d.root.Entries[i+1:] {
		if slices.Contains(top, e.Key) || !slices.Contains(known, e.Key) {
			break
		}
		found := d.problem(e.KeyPlace(), RuleIndentation, fmt.Sprintf("the setting %q of an environment stands outside of \"environments\"", strictyaml.Short(e.Key)),
			fmt.Sprintf("indent %s below the environment that needs it", d.lines([]strictyaml.Entry{e})))
		found[0].Warning = true
		problems = append(problems, found...)
	}
	return problems
}

// withoutMisplaced drops what the schema says about entries that a problem with
// their indentation covers.
func (d *Document) withoutMisplaced(problems pipeline.Problems) pipeline.Problems {
	return slices.DeleteFunc(problems, func(p pipeline.Problem) bool {
		for _, e := range d.covered {
			if d.isTopKey(e) && strictyaml.Lacks(p, e.Key) {
				return true
			}
			if p.Line >= e.Line && p.Line <= lastLine(e.Value) {
				return true
			}
		}
		all := d.root.Get(environmentsKey)
		if all == nil {
			return false
		}
		for _, e := range all.Entries {
			if d.misplaced[e.Key] && p.Line >= e.Line && p.Line <= max(e.Line, lastLine(e.Value)) {
				return true
			}
		}
		return false
	})
}
