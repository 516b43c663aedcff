package ansible

import (
	"fmt"
	"os"
	"path/filepath"
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

// diagnostics are the failures of the run: of its tasks, or what the tool printed where it did
// not get that far. Exit code 4 stands for unreachable hosts and for a playbook that cannot be
// parsed: the events tell which.
func (r *run) diagnostics() []pipeline.Diagnostic {
	var found []pipeline.Diagnostic
	for _, result := range r.results {
		if result.Ignored || result.Loop && result.Status == "failed" && r.itemFailed(result) || result.Status != "failed" && result.Status != "unreachable" {
			continue
		}
		found = append(found, r.ofResult(result))
	}
	if len(found) == 0 {
		found = r.w.printed()
	}
	for i := range found {
		r.w.filter.Diagnostic(&found[i])
		found[i].Address = r.w.filter.Text(found[i].Address)
		r.w.log.Diagnostic(found[i])
	}
	return found
}

// itemFailed reports whether an item of the loop has said how it failed.
func (r *run) itemFailed(loop result) bool {
	for _, one := range r.results {
		if one.InLoop && one.Host == loop.Host && one.ID == loop.ID && one.Status == "failed" {
			return true
		}
	}
	return false
}

func (r *run) ofResult(result result) pipeline.Diagnostic {
	d := pipeline.Diagnostic{Address: result.address, Where: r.w.place(result.Path)}
	said := result.Said["msg"]
	if said == "" {
		said = result.Said["reason"]
	}
	switch {
	case result.Censored:
		said = "it failed, and no_log hides why"
	case said == "":
		said = "it failed"
	}
	first, rest, _ := strings.Cut(r.w.relative(redact.Clean(said)), "\n")
	d.Summary = clip(result.address+": "+first, maxSummary)
	details := []string{rest}
	for _, key := range []string{"stderr", "stdout", "module_stderr", "module_stdout"} {
		if text := redact.Clean(result.Said[key]); text != "" && !strings.Contains(said, text) {
			details = append(details, r.w.relative(text))
		}
	}
	d.Detail = clip(strings.TrimSpace(strings.Join(details, "\n")), maxDetail)
	if result.Status == "unreachable" {
		d.Operator = fmt.Sprintf("look whether %s can be reached from here as its inventory says", redact.Clean(result.Host))
		if strings.Contains(said, "Host key verification failed") {
			d.Operator = fmt.Sprintf("add the host key of %s to %s, or put it out as %q: host keys are always checked", redact.Clean(result.Host), r.w.inRoot(knownHostsFile), knownHostsOutput)
		}
	}
	r.w.trace(&d, said)
	return d
}

// missing is how Jinja says that an object lacks a key.
var missing = text.Pattern(`has no attribute '([A-Za-z_][A-Za-z0-9_]*)'`)

// trace finds the line of variables.yml where a key belongs that the playbook reads and that
// is not there.
func (w *workspace) trace(d *pipeline.Diagnostic, said string) {
	found := missing().FindStringSubmatch(said)
	if found == nil {
		return
	}
	key := found[1]
	if _, there := w.config.Values[key]; there || !w.reads(key) {
		return
	}
	d.Source, d.Exact = w.job.Variables.Locate("environments", string(w.job.Environment), key)
	d.Remedy = fmt.Sprintf("add `%s:` at the top level of %s or under `environments.%s`; or the provider's playbook gives it a default", key, d.Source.File, w.job.Environment)
}

// reads reports whether the file that a playbook's root has reads the key of config.
func (w *workspace) reads(key string) bool {
	found := false
	// A file that cannot be read says nothing: the diagnostic stays as the tool wrote it.
	_ = filepath.WalkDir(w.root, func(file string, entry os.DirEntry, err error) error {
		if err != nil || found || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(file)
		found = err == nil && (strings.Contains(string(content), configVariable+"."+key) || strings.Contains(string(content), configVariable+"['"+key+"']"))
		return err
	})
	return found
}

// errorPlace is how the tool names a place in its code.
var errorPlace = text.Pattern(`(?:in '([^']+)': line (\d+)|Origin: ([^:\n]+):(\d+))`)

// printed are the errors that the tool printed.
func (w *workspace) printed() []pipeline.Diagnostic {
	said := w.stderr()
	i := strings.Index(said, "ERROR")
	if i < 0 {
		if said = strings.TrimSpace(said); said == "" {
			return nil
		}
		i = 0
	}
	said = said[i:]
	d := pipeline.Diagnostic{}
	if at := errorPlace().FindStringSubmatch(said); at != nil {
		d.Where = w.place(at[1] + at[3] + ":" + at[2] + at[4])
	}
	first, rest, _ := strings.Cut(w.relative(redact.Clean(said)), "\n")
	d.Summary = clip(strings.TrimSpace(strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(first, "ERROR"), "]"), "!: ")), maxSummary)
	d.Detail = clip(strings.TrimSpace(rest), maxDetail)
	return []pipeline.Diagnostic{d}
}

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + " …"
}
