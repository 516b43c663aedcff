package terraform

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// diagnose turns the tool's diagnostics into ours: places relative to the manager
// directory, the line of variables.yml that decides the value, and what to do.
// Errors come first; the rest of the order is by place, since the tool works in
// parallel. They go to the log as well, and only here: while the tool runs nobody
// knows yet which values its plan will mark as sensitive.
func (w *workspace) diagnose(found []tfjson.Diagnostic, r *Filter) []pipeline.Diagnostic {
	errs := slices.ContainsFunc(found, func(d tfjson.Diagnostic) bool { return IsError(d) && !IsFrame(d) })
	tracer := NewTracer(w.traced())
	var diagnostics []pipeline.Diagnostic
	for _, d := range found {
		if errs && IsFrame(d) {
			continue
		}
		p := w.diagnostic(d)
		tracer.Source(&p, d)
		if p.Remedy == "" {
			p.Remedy, p.Operator = w.knownRemedy(d)
		}
		if p.Remedy == "" && IsCondition(d) {
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
func (w *workspace) traced() Input {
	return Input{Job: w.job, Tree: w.tree, Tool: w.tool.Name, ManagerPath: w.managerPath, IsVarsFile: w.isVarsFile, Log: w.log.Print}
}

// Diagnostic writes what the tool reported, with its explanation set off.
func (p *Log) Diagnostic(d pipeline.Diagnostic) {
	severity := "error: "
	if d.Warning {
		severity = "warning: "
	}
	place := ""
	if d.Where.File != "" {
		place = fmt.Sprintf(" (%s:%d)", d.Where.File, d.Where.Line)
	}
	p.Print(severity + d.Summary + place)
	if d.Detail != "" {
		p.Print("  " + strings.ReplaceAll(d.Detail, "\n", "\n  "))
	}
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

func IsError(d tfjson.Diagnostic) bool { return d.Severity == tfjson.DiagnosticSeverityError }

// IsFrame reports diagnostics that only announce or follow others.
func IsFrame(d tfjson.Diagnostic) bool {
	return d.Range == nil && d.Detail == "" &&
		(strings.Contains(d.Summary, "encountered problems during initiali") || d.Summary == "execution halted")
}

func (w *workspace) diagnostic(d tfjson.Diagnostic) pipeline.Diagnostic {
	p := pipeline.Diagnostic{
		Warning: !IsError(d),
		Summary: FirstLine(w.relative(Clean(d.Summary))),
		Detail:  w.relative(Clean(d.Detail)),
		Address: Clean(d.Address),
	}
	if rest := strings.TrimSpace(strings.TrimPrefix(w.relative(Clean(d.Summary)), p.Summary)); rest != "" {
		p.Detail = strings.TrimSpace(rest + "\n" + p.Detail)
	}
	p.Summary, p.Detail = writtenWords(p.Summary, p.Detail)
	if d.Range == nil || w.isVarsFile(d.Range.Filename) {
		return p
	}
	p.Where = pipeline.Position{File: w.managerPath(d.Range.Filename), Line: d.Range.Start.Line, Column: d.Range.Start.Column}
	if d.Snippet != nil {
		p.Code = strings.TrimSpace(Clean(highlightedLine(d.Snippet)))
	}
	return p
}

// Conditions are the summaries of rules that the manager's authors wrote: what
// they say about a broken one is the detail.
var Conditions = []string{
	"Resource precondition failed", "Resource postcondition failed", "Module output value precondition failed",
	"Check block assertion failed", "Invalid value for variable",
}

// writtenWords puts the message of a broken rule first, since it was written for
// whoever broke it.
func writtenWords(summary, detail string) (string, string) {
	written := FirstLine(detail)
	if written == "" || !slices.Contains(Conditions, summary) {
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
	if fixed := filepath.FromSlash(FixedPlace); HasFixedPlace {
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

// ManagerPath turns a path that the tool named, relative to the root module or
// absolute, into one relative to the manager directory. A module that init
// fetched lies outside; it is named by its path in the data directory.
func (w *workspace) managerPath(name string) string {
	full := w.own(filepath.FromSlash(name))
	if !filepath.IsAbs(full) {
		full = filepath.Join(w.root, full)
	}
	for _, base := range []string{w.tree, w.data} {
		if rel, err := filepath.Rel(base, full); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return path.Base(filepath.ToSlash(name))
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

// lockInfo reads who holds a lock from the text of the tool.
var lockInfo = regexp.MustCompile(`(?m)^\s*(ID|Operation|Who|Created):[ \t]*(.*\S)\s*$`)

var httpLock = regexp.MustCompile(`HTTP\s+remote\s+state\s+already\s+locked:\s+ID=([^\s,;]+)`)

// knownRemedy says what to do about failures that are not about a value: a customer
// waits for a lock, and has the provider correct all else.
func (w *workspace) knownRemedy(d tfjson.Diagnostic) (remedy, operator string) {
	if strings.HasPrefix(d.Summary, "Error acquiring the state lock") {
		return LockRemedy(d.Summary, d.Detail), ""
	}
	if operator = w.operatorRemedy(d); operator != "" {
		remedy = pipeline.ProviderNext
	}
	return remedy, operator
}

// operatorRemedy is what the provider does about the manager's code or its runner.
func (w *workspace) operatorRemedy(d tfjson.Diagnostic) string {
	switch summary := d.Summary; {
	case AboutProviders.MatchString(summary):
		return ProviderRemedy(d.Summary+"\n"+d.Detail, w.tool.Name, w.job.Customer.Root)
	case strings.HasPrefix(summary, inconsistent):
		return "an argument has another value each time that the code runs: take out what depends on the machine, the user or the time (pathexpand, for example), or correct the provider"
	case strings.HasPrefix(summary, "Unsupported Terraform Core version"), strings.HasPrefix(summary, "Unsupported OpenTofu Core version"):
		return "change tool.version in metapipe.yml, or required_version in the manager's code"
	case strings.Contains(d.Detail, FixedPlace+"/"):
		return "a program that the plan starts could not read an absolute path of the module, for example since it closes the files that it inherits: use path.module, which is relative to the working directory, in place of abspath() and path.cwd"
	}
	return ""
}

// LockOf reads the lock that a diagnostic is about, nil when it is about none.
func LockOf(summary, detail string) *pipeline.Lock {
	if !strings.HasPrefix(summary, "Error acquiring the state lock") {
		return nil
	}
	info := map[string]string{}
	for _, m := range lockInfo.FindAllStringSubmatch(Clean(detail), -1) {
		info[m[1]] = m[2]
	}
	// Behind HTTP the tool tells about the lock that it could not get, and of the
	// one in its way the id alone.
	if m := httpLock.FindStringSubmatch(Clean(detail)); m != nil {
		return &pipeline.Lock{ID: m[1]}
	}
	if info["Who"] == "" {
		return nil
	}
	lock := &pipeline.Lock{ID: info["ID"], Who: info["Who"], Operation: strings.ToLower(strings.TrimPrefix(info["Operation"], "OperationType"))}
	if at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", info["Created"]); err == nil {
		lock.Created = at.UTC()
	}
	return lock
}

func LockRemedy(summary, detail string) string {
	lock := LockOf(summary, detail)
	if lock == nil || lock.Who == "" {
		return "somebody else holds the lock of this state: wait for that run to end and try again"
	}
	return fmt.Sprintf("%s holds the lock of this state since %s (%s, lock %s): wait for that run to end and try again",
		lock.Who, lock.Created.Format(time.DateTime), lock.Operation, lock.ID)
}
