package content

import (
	"context"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The rules of findings.
const (
	RuleForbidden = "content-forbidden" // a file that the type may not hold
	RuleMissing   = "content-missing"   // a file that the type must hold
	RuleMismatch  = "content-mismatch"  // the repository holds something else than the type
	RuleProperty  = "content-property"  // the property names no type
	RuleLink      = "content-link"      // a symbolic link or special file under the path
	RuleSubmodule = "content-submodule" // another repository under the path
	RuleCase      = "content-case"      // names under the path that differ in case only
)

// Bounds of what is read and kept of a tree that its owner may have made to be large.
const (
	maxEntries  = 1_000_000
	maxFindings = 100
	maxUnread   = 3 // directories that are named
)

// Check is what the files of a checkout are compared with.
type Check struct {
	Rules pipeline.ContentRules
	// Path is the customer's path, as pipeline.ParseCustomerPath returns it.
	Path string
	// Name and Value are the property with the content type. Without a name there is none.
	Name  string
	Value pipeline.Property
	// Unread says why the property is not known; empty: it is.
	Unread string

	entries int // the bound of the number of entries; 0: maxEntries
}

// Run reads the names in the checkout in dir. What is wrong with the tree is in the
// result. The error is that of ctx.
func (c Check) Run(ctx context.Context, dir string) (pipeline.ContentResult, error) {
	w := walk{check: c, ctx: ctx, result: pipeline.ContentResult{Enforce: c.Rules.Enforce}, limit: c.entries}
	if w.limit == 0 {
		w.limit = maxEntries
	}
	w.setType()
	w.compile()
	at, hit := w.match.start()
	if err := w.read(directory{abs: dir, at: at, hit: hit}); err != nil {
		return w.result, err
	}
	w.judge()
	return w.result, nil
}

// setType finds out the type of the repository.
func (w *walk) setType() {
	c := w.check
	w.result.Type = c.Rules.Default
	if c.Name == "" {
		return
	}
	if c.Unread != "" {
		w.result.Type, w.result.Unknown = "", c.Unread
		return
	}
	t, message := pipeline.ReadContentType(c.Value)
	switch {
	case message != "":
		w.result.Type = ""
		w.find("property "+c.Name, RuleProperty, message, pipeline.ContentRemedy)
	case t != "":
		w.result.Type = t
	}
}

// compile takes the patterns that count for the type.
func (w *walk) compile() {
	rules := w.check.Rules
	for _, p := range rules.App {
		w.match.add(p, w.check.Path, lists{app: true})
	}
	for _, p := range rules.Infra {
		w.match.add(p, w.check.Path, lists{infra: true})
	}
	for _, p := range rules.Ignore {
		w.match.add(p, w.check.Path, lists{ignore: true})
	}
	of := rules.Types[w.result.Type]
	for _, p := range of.Forbid {
		w.match.add(p, w.check.Path, lists{forbid: true})
	}
	for _, p := range of.Allow {
		w.match.add(p, w.check.Path, lists{allow: true})
	}
	for i, p := range of.Require {
		w.match.add(p, w.check.Path, lists{require: 1 << i})
	}
}

// find notes a finding, as long as there is room.
func (w *walk) find(file, rule, message, remedy string) {
	if len(w.result.Problems) == maxFindings {
		w.result.More++
		return
	}
	w.result.Problems = append(w.result.Problems, pipeline.Problem{Position: pipeline.Position{File: shown(file)}, Rule: rule, Message: message, Remedy: remedy, Warning: !w.result.Enforce})
}

// shown is a path as messages have it: most are themselves.
func shown(path string) string {
	if plain := pipeline.PlainLine(path); plain == path {
		return path
	}
	return pipeline.Quote(path)
}

// judge compares what was seen with the type.
func (w *walk) judge() {
	if len(w.unread) > 0 {
		names := w.unread[:min(len(w.unread), maxUnread)]
		w.result.Unknown = "cannot read " + strings.Join(names, ", ")
		if more := len(w.unread) - len(names); more > 0 {
			w.result.Unknown += fmt.Sprintf(" and %d more directories", more)
		}
	}
	if w.full {
		w.result.Unknown = fmt.Sprintf("the checkout has more than %d files and directories", w.limit)
	}
	if w.result.Unknown != "" {
		return // what was not seen may be there
	}
	for i, p := range w.check.Rules.Types[w.result.Type].Require {
		if w.required&(1<<i) == 0 {
			file := pipeline.FillContentPattern(p, w.check.Path)
			w.find(file, RuleMissing, fmt.Sprintf("a repository of the type %s must have this", w.result.Type), "add it, or correct the content type")
		}
	}
	w.compareType()
}

// compareType compares the type with what the repository holds.
func (w *walk) compareType() {
	property, remedy := "the content type", "add it, or correct default in content of metapipe.yml"
	if w.check.Name != "" && w.check.Value.Form != pipeline.PropertyUnset {
		property, remedy = "property "+w.check.Name, "correct the repository, or the property: "+pipeline.ContentRemedy
	}
	switch t := w.result.Type; {
	case t == pipeline.ContentApp && w.infra != "":
		w.find(w.infra, RuleMismatch, fmt.Sprintf("this is infrastructure, and %s is %s", property, t), remedy)
	case t == pipeline.ContentInfra && w.app != "":
		w.find(w.app, RuleMismatch, fmt.Sprintf("this is application code, and %s is %s", property, t), remedy)
	case t == pipeline.ContentBoth && !w.anyApp:
		w.find(property, RuleMismatch, "it is both, and the repository has no application code", remedy)
	}
	if w.result.Type.HasInfra() && !w.anyInfra {
		w.find(property, RuleMismatch, fmt.Sprintf("it is %s, and the repository has no infrastructure", w.result.Type), remedy)
	}
}
