package terraform

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/trace"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// diagnose turns the tool's diagnostics into ours: places relative to the manager
// directory, the line of variables.yml that decides the value, and what to do.
// Errors come first; the rest of the order is by place, since the tool works in
// parallel. They go to the log as well, and only here: while the tool runs no one
// knows yet which values its plan will mark as sensitive.
func (w *workspace) diagnose(found []tfjson.Diagnostic, r *redact.Filter) []pipeline.Diagnostic {
	errs := slices.ContainsFunc(found, func(d tfjson.Diagnostic) bool { return output.IsError(d) && !output.IsFrame(d) })
	tracer := trace.NewTracer(w.traced())
	var diagnostics []pipeline.Diagnostic
	for _, d := range output.WithoutEchoes(found) {
		if errs && output.IsFrame(d) {
			continue
		}
		p := w.diagnostic(d)
		tracer.Source(&p, d)
		if p.Remedy == "" {
			p.Remedy, p.Operator = w.knownRemedy(d)
		}
		if p.Remedy == "" && trace.IsCondition(d) {
			p.Remedy = ruleRemedy(p.Where)
		}
		r.Diagnostic(&p)
		diagnostics = append(diagnostics, p)
	}
	slices.SortStableFunc(diagnostics, func(a, b pipeline.Diagnostic) int {
		return cmp.Or(
			compareBool(a.Warning, b.Warning),
			cmp.Compare(a.Where.File, b.Where.File),
			cmp.Compare(a.Where.Line, b.Where.Line),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	diagnostics = slices.Compact(diagnostics)
	for _, d := range diagnostics {
		w.log.Diagnostic(d)
	}
	return diagnostics
}

// traced is the workspace as a tracer sees it.
func (w *workspace) traced() trace.Input {
	return trace.Input{Job: w.job, Tree: w.tree, Tool: w.tool.Name, ManagerPath: w.managerPath, IsVarsFile: w.isVarsFile, Log: w.log.Print}
}

// ruleRemedy is for a rule of the manager that does not hold and whose values could
// not be followed to the customer's file: the customer cannot know what to change.
func ruleRemedy(where pipeline.Position) string {
	if where.File == "" {
		return "ask the manager's maintainers about this rule"
	}
	return fmt.Sprintf("ask the manager's maintainers about this rule (%s)", where)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (w *workspace) diagnostic(d tfjson.Diagnostic) pipeline.Diagnostic {
	p := pipeline.Diagnostic{
		Warning: !output.IsError(d),
		Summary: output.FirstLine(w.relative(redact.Clean(d.Summary))),
		Detail:  w.relative(redact.Clean(d.Detail)),
		Address: redact.Clean(d.Address),
	}
	if rest := strings.TrimSpace(strings.TrimPrefix(w.relative(redact.Clean(d.Summary)), p.Summary)); rest != "" {
		p.Detail = strings.TrimSpace(rest + "\n" + p.Detail)
	}
	p.Summary, p.Detail = writtenWords(p.Summary, p.Detail)
	if call, ok := output.ModuleOf(d.Detail); ok && d.Range == nil && output.AboutModules().MatchString(d.Summary) {
		p.Where = w.modulePlace(call)
	}
	if d.Range == nil || w.isVarsFile(d.Range.Filename) {
		return p
	}
	p.Where = pipeline.Position{File: w.managerPath(d.Range.Filename), Line: d.Range.Start.Line, Column: d.Range.Start.Column}
	if d.Snippet != nil {
		p.Code = strings.TrimSpace(redact.Clean(highlightedLine(d.Snippet)))
	}
	return p
}

// writtenWords puts the message of a broken rule first, since it was written for
// whoever broke it.
func writtenWords(summary, detail string) (string, string) {
	written := output.FirstLine(detail)
	if written == "" || !slices.Contains(trace.Conditions, summary) {
		return summary, detail
	}
	return written, summary + ": " + detail
}

// relative takes the paths of the run directory out of a text, also where the
// tool has followed links to it.
func (w *workspace) relative(text string) string {
	dirs := []string{w.tree, w.data, w.dir, w.job.Dir}
	for _, dir := range dirs {
		if actual, err := filepath.EvalSymlinks(dir); err == nil && actual != dir {
			dirs = append(dirs, actual)
		}
	}
	// The fixed paths lead to the workspace in the tool alone: in this process they are
	// whatever it has open.
	if fixed := filepath.FromSlash(process.FixedPlace); process.HasFixedPlace {
		dirs = append(dirs, filepath.Join(fixed, filepath.Base(w.tree)), filepath.Join(fixed, filepath.Base(w.data)), fixed)
	}
	var pairs []string
	for _, dir := range dirs {
		pairs = append(pairs, dir+string(filepath.Separator), "", dir, ".")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (w *workspace) isVarsFile(name string) bool {
	return w.vars != "" && filepath.Base(name) == filepath.Base(w.vars)
}

// highlightedLine is the line of the snippet in which the highlight begins.
func highlightedLine(s *tfjson.DiagnosticSnippet) string {
	start := min(max(s.HighlightStartOffset, 0), len(s.Code))
	from := strings.LastIndexByte(s.Code[:start], '\n') + 1
	line, _, _ := strings.Cut(s.Code[from:], "\n")
	return line
}

// inconsistent begins the summaries of values that were others when the plan was
// made.
const inconsistent = "Provider produced inconsistent"

// knownRemedy says what to do about failures that are not about a value: a customer
// waits for a lock, and has the provider correct all else.
func (w *workspace) knownRemedy(d tfjson.Diagnostic) (remedy, operator string) {
	if strings.HasPrefix(d.Summary, "Error acquiring the state lock") {
		return output.LockRemedy(d.Summary, d.Detail), ""
	}
	if operator = w.operatorRemedy(d); operator != "" {
		remedy = pipeline.ProviderNext
	}
	return remedy, operator
}

// operatorRemedy is what the provider does about the manager's code or its runner.
func (w *workspace) operatorRemedy(d tfjson.Diagnostic) string {
	switch summary := d.Summary; {
	case output.AboutProviders().MatchString(summary):
		return output.ProviderRemedy(d.Summary+"\n"+d.Detail, w.tool.Name, w.job.Root())
	case output.AboutModules().MatchString(summary):
		return w.moduleRemedy(d)
	case strings.HasPrefix(summary, inconsistent):
		return "an argument has another value each time that the code runs: take out what depends on the machine, the user or the time (pathexpand, for example), or correct the provider"
	case strings.HasPrefix(summary, "Unsupported Terraform Core version"), strings.HasPrefix(summary, "Unsupported OpenTofu Core version"):
		return "change tool.version in metapipe.yml, or required_version in the manager's code"
	case strings.Contains(d.Detail, process.FixedPlace+"/"):
		return "a program that the plan starts could not read an absolute path of the module, for example since it closes the files that it inherits: use path.module, " +
			"which is relative to the working directory, in place of abspath() and path.cwd"
	}
	return ""
}
