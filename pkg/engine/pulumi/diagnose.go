package pulumi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Bounds of what is shown of the words of the tool, in bytes.
const (
	maxSummary = 400
	maxDetail  = 4000
)

// diagnostics are what the tool reported: errors and warnings, once each. Where it did not
// get so far that it has events, it is what it printed.
func (r *run) diagnostics() []pipeline.Diagnostic {
	var found []pipeline.Diagnostic
	seen := map[string]bool{}
	add := func(d pipeline.Diagnostic) {
		if key := d.Address + d.Summary + d.Detail; d.Summary != "" && !seen[key] {
			seen[key] = true
			found = append(found, d)
		}
	}
	errors := false
	for _, said := range r.said {
		if said.Severity != "error" && said.Severity != "warning" || plainWarning().MatchString(said.Message) {
			continue
		}
		errors = errors || said.Severity == "error"
		add(r.w.diagnostic(said.Message, said.URN, said.Severity == "warning"))
	}
	for _, p := range r.policies {
		add(r.w.diagnostic(fmt.Sprintf("policy %s: %s", p.Name, p.Message), p.URN, p.Level != "mandatory"))
	}
	if failed := r.summary == nil || r.summary.Result != "succeeded"; failed && !errors {
		said := r.printed()
		if said == "" {
			said = r.w.printed()
		}
		add(r.w.diagnostic(said, "", false))
	}
	for _, p := range r.w.pending() {
		add(p)
	}
	for i := range found {
		r.w.filter.Diagnostic(&found[i])
		r.w.log.Diagnostic(found[i])
	}
	return found
}

// plainWarning are warnings that say nothing of the program.
var plainWarning = text.Pattern(`^using pulumi-[A-Za-z0-9_-]+ from \$PATH at `)

// printed is what the program printed as its error; empty: there is none.
func (r *run) printed() string {
	var all strings.Builder
	for _, said := range r.said {
		if said.Severity == "info#err" && !plainWarning().MatchString(strings.TrimPrefix(said.Message, "warning: ")) {
			all.WriteString(said.Message)
		}
	}
	text := all.String()
	if _, after, found := strings.Cut(text, "Error: "); found {
		text = after
	}
	return text
}

// pending are the operations that an earlier run has begun and did not end, as the state of a
// plan has them.
func (w *workspace) pending() []pipeline.Diagnostic {
	var found []pipeline.Diagnostic
	if w.state.Checkpoint.Latest == nil {
		return nil
	}
	for _, p := range w.state.Checkpoint.Latest.Pending {
		found = append(found, pipeline.Diagnostic{Warning: true, Address: address(p.Resource.URN),
			Summary:  fmt.Sprintf("an earlier run was stopped while it was %s %s: what it made may exist and not be in the state", redact.Clean(p.Type), address(p.Resource.URN)),
			Operator: "look whether it exists: see \"Locks, and a run that was killed\" in docs/PULUMI.md of metapipe"})
	}
	return found
}

// printed is the error that the tool printed; empty: there is none.
func (w *workspace) printed() string {
	for _, stream := range []string{"stderr", "stdout"} {
		all := w.output(stream)
		if i := strings.Index(all, "error: "); i >= 0 {
			return all[i+len("error: "):]
		}
	}
	return ""
}

// diagnostic is one message of the tool.
func (w *workspace) diagnostic(message, urn string, warning bool) pipeline.Diagnostic {
	said := strings.TrimSpace(w.relative(redact.Clean(message)))
	first, rest, _ := strings.Cut(said, "\n")
	d := pipeline.Diagnostic{Warning: warning, Summary: clip(first, maxSummary), Detail: clip(strings.TrimSpace(rest), maxDetail)}
	if urn != "" {
		d.Address = address(urn)
	}
	if at := errorPlace().FindStringSubmatch(said); at != nil {
		d.Where = pipeline.Position{File: w.inRoot(projectFile)}
		d.Where.Line, _ = strconv.Atoi(at[1]) // digits
	}
	w.trace(&d, said)
	return d
}

// errorPlace is how the language of YAML programs names a place in the program.
var errorPlace = text.Pattern(`(?:on |^|[ \n])Pulumi\.yaml(?: line |:)(\d{1,6})`)

var (
	// missingValue is how the CLI and the languages say that a value is not there.
	missingValue = text.Pattern(`(?:[Mm]issing required configuration (?:variable|key) '?"?|Stack '[^']*' is missing configuration value '|missing configuration value ')(?:[A-Za-z0-9_-]+:)?([A-Za-z_][A-Za-z0-9_-]*)`)
	// wrongValue is how the CLI says that a value has not the type which the project declares.
	wrongValue = text.Pattern(`[Ss]tack '[^']*' with configuration key '(?:[A-Za-z0-9_-]+:)?([A-Za-z_][A-Za-z0-9_-]*)' must be of type '([a-z<>]+)'`)
	// pendingWork is how the CLI says that an update was stopped in the middle.
	pendingWork = text.Pattern(`pending operations?|interrupted while`)
)

// trace finds the line of variables.yml that a message is about, and what can be done.
func (w *workspace) trace(d *pipeline.Diagnostic, said string) {
	if found := wrongValue().FindStringSubmatch(said); found != nil {
		d.Source, d.Exact = w.locate(found[1])
		d.Remedy = fmt.Sprintf("write `%s` as a value of the type %s", found[1], found[2])
		return
	}
	if found := missingValue().FindStringSubmatch(said); found != nil {
		key := found[1]
		d.Source, d.Exact = w.job.Variables.Locate("environments", string(w.job.Environment), key)
		d.Remedy = fmt.Sprintf("add `%s:` at the top level of %s or under `environments.%s`; or the provider's project gives it a default", key, d.Source.File, w.job.Environment)
		return
	}
	switch {
	case strings.Contains(said, "violates plan"):
		d.Operator = "what the program asks for is not what the plan has shown, or the infrastructure has changed since: make a new plan"
	case strings.Contains(said, "the stack is currently locked"):
		d.Operator = "see who holds the lock: `metapipe state list`; where its process is gone: `metapipe unlock`"
	case pendingWork().MatchString(said):
		d.Operator = "an earlier run was stopped in the middle: see \"Locks, and a run that was killed\" in docs/PULUMI.md of metapipe"
	case strings.Contains(said, "no resource plugin"), strings.Contains(said, "no language plugin"):
		d.Operator = "install the plugin in a step before (`pulumi plugin install`), or put it into PATH: nothing is downloaded in a plan or an apply"
	}
}

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + " …"
}
