package strictyaml

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// formats are the names that `format` may have: those of the validator and our own.
// Source: format.go of github.com/santhosh-tekuri/jsonschema/v5, and the drafts.
var formats = []string{formatCIDR, formatAnyCIDR, "json-pointer", "relative-json-pointer", "uuid", "duration", "period", "ipv4", "ipv6", "hostname", "email", "date", "time", "date-time",
	"uri", "iri", "uri-reference", "iri-reference", "uri-template", "regex"}

// duplicates finds keys that a map of the schema has twice: JSON readers keep the last
// one, so the rules of the first one never hold.
func (k *keywordCheck) duplicates(problems pipeline.Problems) {
	for _, p := range problems {
		if p.Rule == RuleDuplicateKey {
			p.File = k.file
			k.problems = append(k.problems, p)
		}
	}
}

// rule looks at the value of a keyword that holds no schema.
func (k *keywordCheck) rule(e Entry) {
	switch {
	case e.Value.Kind != String:
	case e.Key == "$ref":
		k.reference(e)
	case e.Key == "format" && !slices.Contains(formats, e.Value.Text):
		k.format(e)
	case e.Key == "pattern":
		k.pattern(e.Place(), e.Value.Text)
	}
}

func (k *keywordCheck) problem(at pipeline.Position, message, remedy string) *pipeline.Problem {
	at.File = k.file
	k.problems = append(k.problems, pipeline.Problem{Position: at, Rule: RuleSchemaFile, Message: message, Remedy: remedy})
	return &k.problems[len(k.problems)-1]
}

func (k *keywordCheck) format(e Entry) {
	like := pipeline.Nearest(e.Value.Text, formats)
	p := k.problem(e.Place(), fmt.Sprintf("format %q is not known: no rule follows from it", Short(e.Value.Text)),
		"use one of "+strings.Join(slices.Sorted(slices.Values(formats)), ", ")+", or a pattern")
	if like != "" {
		p.Remedy = fmt.Sprintf("did you mean %q?", like)
	}
	p.Rule, p.Warning = RuleSchemaKeyword, like == ""
}

func (k *keywordCheck) pattern(at pipeline.Position, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		k.problem(at, fmt.Sprintf("the pattern %q is no regular expression: %s", Short(pattern), strings.TrimPrefix(err.Error(), "error parsing regexp: ")),
			"correct it; the syntax is that of Go (RE2), which has no lookahead and no backreference")
	}
}

// reference checks that a reference leads to a part of the same file.
func (k *keywordCheck) reference(e Entry) {
	ref := e.Value.Text
	pointer, inside := strings.CutPrefix(ref, "#")
	switch {
	case !inside && k.named: // relative to an $id of this file: the compiler knows
		return
	case !inside:
		k.problem(e.Place(), fmt.Sprintf("the reference %q leads out of the file", Short(ref)), errOutside.Error())
		return
	case pointer == "" || k.schemaOf.at(ref) != nil || k.anchors[pointer]:
		return
	}
	remedy := "write the part that it names, or correct the reference"
	names := k.definitions()
	if like := pipeline.Nearest(pointer, names); like != "" {
		remedy = fmt.Sprintf("did you mean %q?", "#"+like)
	} else if len(names) > 0 {
		remedy = "refer to one of #" + Short(strings.Join(names, ", #"))
	}
	k.problem(e.Place(), fmt.Sprintf("the reference %q leads nowhere", Short(ref)), remedy)
}

// definitions are the pointers to the parts of $defs.
func (k *keywordCheck) definitions() []string {
	var names []string
	root := asMap(k.schemaOf.doc)
	for _, place := range []string{"$defs", "definitions"} {
		for _, name := range slices.Sorted(maps.Keys(asMap(root[place]))) {
			names = append(names, "/"+place+"/"+name)
		}
	}
	return names
}

// anchorsOf collects what else a reference may lead to: names of anchors, and whether
// a part of the schema has an $id of its own.
func (k *keywordCheck) anchorsOf(n *Node) {
	n.Walk(func(_ []string, v *Node) {
		for _, name := range []string{"$anchor", "$dynamicAnchor"} {
			if a := v.Get(name); a != nil && a.Kind == String {
				k.anchors[a.Text] = true
			}
		}
		if id := v.Get("$id"); id != nil && id.Kind == String {
			k.named = true
		}
	})
}
