package kubernetes

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Bounds of what is shown of the words of the tool, in bytes.
const (
	maxSummary = 600
	maxDetail  = 4000
)

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + " …"
}

var conflictPattern = text.Pattern(`conflicts? with "([^"]+)"`)

// diagnose turns an error of the API server into a diagnostic of an object; nil: it is of none
// that is known.
func (w *workspace) diagnose(o *object, said string) pipeline.Diagnostic {
	said = w.relative(redact.Clean(said))
	for _, prefix := range []string{"error: ", "Error from server "} {
		said = strings.TrimPrefix(said, prefix)
	}
	first, rest, _ := strings.Cut(said, "\n")
	d := pipeline.Diagnostic{Summary: clip(first, maxSummary), Detail: clip(rest, maxDetail)}
	if o != nil {
		d.Address, d.Where = o.ref.String(), o.where
		d.Summary = clip(o.ref.String()+": "+first, maxSummary)
		w.trace(&d, o, said)
	}
	if m := conflictPattern().FindStringSubmatch(said); m != nil {
		d.Operator = fmt.Sprintf("the fields belong to %s: leave them out of the manifest, or set them there to what the manifest says; metapipe does not take them by force", redact.Clean(m[1]))
	}
	if m := noNamespace().FindStringSubmatch(said); m != nil {
		d.Operator = "add a Namespace to the manifests, or create it before"
	}
	w.filter.Diagnostic(&d)
	w.log.Diagnostic(d)
	return d
}

// trace finds the placeholder behind the field that an error names, and the line of
// variables.yml behind that.
func (w *workspace) trace(d *pipeline.Diagnostic, o *object, said string) {
	best := filled{}
	for _, f := range o.filled {
		if len(f.path) > len(best.path) && namesField(said, f.path) {
			best = f
		}
	}
	if best.path == "" {
		return
	}
	d.Where = best.where
	if best.config == nil {
		return
	}
	nested := append([]string{"environments", string(w.job.Environment)}, best.config...)
	if d.Source, d.Exact = w.job.Variables.Locate(nested...); !d.Exact {
		d.Source, d.Exact = w.job.Variables.Locate(best.config...)
	}
	d.Remedy = fmt.Sprintf("change `%s` in %s", strings.Join(best.config, "."), d.Source.File)
}

// namesField reports whether a text names a field or one below it.
func namesField(said, path string) bool {
	for rest := said; ; {
		i := strings.Index(rest, path)
		if i < 0 {
			return false
		}
		before, after := byte(' '), byte(' ')
		if i > 0 {
			before = rest[i-1]
		}
		if i+len(path) < len(rest) {
			after = rest[i+len(path)]
		}
		if !isFieldByte(before) && (!isFieldByte(after) || after == '.') && after != '-' {
			return true
		}
		rest = rest[i+1:]
	}
}

func isFieldByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// rejected is the error of objects that the server does not take.
func (w *workspace) rejected(command string, problems []pipeline.Diagnostic) *pipeline.FailedError {
	failed := &pipeline.FailedError{Message: fmt.Sprintf("%s of %s failed", command, w.job.Target()), Next: pipeline.ProviderNext, Operator: "read the errors of the API server above", Diagnostics: problems}
	if len(problems) == 0 {
		return failed
	}
	first := problems[0]
	failed.Message += ": " + first.Summary
	switch {
	case first.Source.File != "":
		failed.Message += fmt.Sprintf(" (%s)", first.Source)
		failed.Next, failed.Operator = first.Remedy, ""
	case first.Where.File != "":
		failed.Message += fmt.Sprintf(" (%s)", first.Where)
		failed.Operator = fmt.Sprintf("correct %s", first.Where)
	}
	if first.Operator != "" {
		failed.Operator = first.Operator
	}
	if len(problems) > 1 {
		failed.Message += fmt.Sprintf(", and %d more", len(problems)-1)
	}
	return failed
}

// unreachable is the error of a kubectl that failed as a whole.
func (w *workspace) unreachable(what string, c call, err error) error {
	if c.err == nil { // it is about the workspace, or what was printed
		return w.failed(what, err)
	}
	lines := said(c.stderr)
	d := w.diagnose(nil, strings.Join(lines, "\n"))
	if len(lines) == 0 {
		d = w.diagnose(nil, c.err.Error())
	}
	d.Operator = "look whether the cluster can be reached, and what the user of the kubeconfig may do there"
	return w.rejected(what, []pipeline.Diagnostic{d})
}
