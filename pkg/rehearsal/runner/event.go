package runner

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// Event is what happened in a repository.
type Event struct {
	Name    string // as under `on`: push, pull_request, repository_dispatch …
	Payload map[string]any
	Type    string   // activity of a pull request, or the type of a dispatch
	Branch  string   // that was pushed to, or the base of a pull request
	Paths   []string // the files that a push or a pull request changes; nil: not known, which passes all filters
}

// defaultTypes are the activities that start a workflow which names none. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
var defaultTypes = map[string][]string{
	"pull_request": {"opened", "synchronize", "reopened"}, "pull_request_target": {"opened", "synchronize", "reopened"},
	"merge_group": {"checks_requested"},
}

// Listens reports whether the event starts the workflow.
func (w *Workflow) Listens(e Event) bool {
	for _, on := range w.On {
		if on.EventName() != e.Name {
			continue
		}
		switch on := on.(type) {
		case *actionlint.RepositoryDispatchEvent:
			return len(on.Types) == 0 || slices.ContainsFunc(on.Types, func(t *actionlint.String) bool { return t.Value == e.Type })
		case *actionlint.WebhookEvent:
			return listens(on, e)
		}
		return true
	}
	return false
}

func listens(on *actionlint.WebhookEvent, e Event) bool {
	types := defaultTypes[e.Name]
	if len(on.Types) > 0 {
		types = values(on.Types)
	}
	if types != nil && !slices.Contains(types, e.Type) {
		return false
	}
	if !on.Branches.IsEmpty() && !selects(values(on.Branches.Values), e.Branch) || !on.BranchesIgnore.IsEmpty() && selects(values(on.BranchesIgnore.Values), e.Branch) {
		return false
	}
	if on.Branches.IsEmpty() && on.BranchesIgnore.IsEmpty() && !(on.Tags.IsEmpty() && on.TagsIgnore.IsEmpty()) {
		return false // tags only
	}
	if e.Paths == nil {
		return true
	}
	if !on.Paths.IsEmpty() {
		patterns := values(on.Paths.Values)
		return slices.ContainsFunc(e.Paths, func(p string) bool { return selects(patterns, p) })
	}
	if !on.PathsIgnore.IsEmpty() {
		patterns := values(on.PathsIgnore.Values)
		return slices.ContainsFunc(e.Paths, func(p string) bool { return !selects(patterns, p) })
	}
	return true
}

func values(list []*actionlint.String) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.Value
	}
	return out
}

// selects reports whether the patterns take a name: the last one that matches decides, and `!` takes away.
func selects(patterns []string, name string) bool {
	taken := false
	for _, p := range patterns {
		positive, negative := strings.CutPrefix(p, "!")
		if re, err := pattern(positive); err == nil && re.MatchString(name) {
			taken = !negative
		}
	}
	return taken
}

// pattern turns a filter pattern into a regular expression. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
func pattern(text string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*' && strings.HasPrefix(text[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case c == '*' && strings.HasPrefix(text[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?' || c == '+' || c == '[' || c == ']':
			b.WriteByte(c)
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	return regexp.Compile(b.String() + "$")
}

// hashed reports whether one of the patterns of hashFiles takes a file, by its path in the workspace.
func hashed(patterns []string, file string) bool {
	cleaned := make([]string, len(patterns))
	for i, p := range patterns {
		positive, negative := strings.CutPrefix(strings.TrimSpace(p), "!")
		cleaned[i] = path.Clean(positive)
		if negative {
			cleaned[i] = "!" + cleaned[i]
		}
	}
	return selects(cleaned, file)
}
