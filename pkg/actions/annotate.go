package actions

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// GitHub shows at most ten annotations of a kind per step and drops the rest;
// messages are cut at 4 KB.
const (
	maxAnnotations = 10
	maxMessage     = 4096
)

// Annotate shows problems at their lines in the run and in the pull request.
// Files must be relative to the root of the repository. What exceeds GitHub's
// ten errors and ten warnings per step is counted by the last annotation and
// written to the log as plain lines.
func (r *Runner) Annotate(problems pipeline.Problems) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs, warnings pipeline.Problems
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			errs = append(errs, p)
		}
	}
	if err := r.annotateAll("error", errs); err != nil {
		return err
	}
	return r.annotateAll("warning", warnings)
}

func (r *Runner) annotateAll(kind string, problems pipeline.Problems) error {
	room := max(maxAnnotations-r.issued[kind], 0)
	shown := len(problems)
	if shown > room {
		shown = max(room-1, 0) // the last place is for the summary
	}
	for _, p := range problems[:shown] {
		if err := r.annotate(kind, place(p), messageAndRemedy(p)); err != nil {
			return err
		}
	}
	rest := problems[shown:]
	if len(rest) == 0 {
		return nil
	}
	if room > 0 {
		message := fmt.Sprintf("%d more problems are in the log of this step: GitHub shows at most %d %ss per step", len(rest), maxAnnotations, kind)
		if err := r.annotate(kind, nil, message); err != nil {
			return err
		}
	}
	return r.log(rest)
}

// annotate sends one annotation; r.mu is held.
func (r *Runner) annotate(kind string, properties githubactions.CommandProperties, message string) error {
	r.issued[kind]++
	return r.write(&githubactions.Command{Name: kind, Properties: properties, Message: clip(r.masked(message), maxMessage)})
}

func place(p pipeline.Problem) githubactions.CommandProperties {
	properties := githubactions.CommandProperties{}
	if p.Rule != "" {
		properties["title"] = p.Rule
	}
	if p.File == "" {
		return properties
	}
	properties["file"] = p.File
	if p.Line > 0 {
		properties["line"] = strconv.Itoa(p.Line)
		if p.Column > 0 {
			properties["col"] = strconv.Itoa(p.Column)
		}
	}
	return properties
}

func messageAndRemedy(p pipeline.Problem) string {
	if p.Remedy == "" {
		return p.Message
	}
	return p.Message + "\n→ " + p.Remedy
}

// log prints problems as plain lines. They quote untrusted text.
func (r *Runner) log(problems pipeline.Problems) error {
	if !r.o.Context.InActions {
		return nil
	}
	w := Neutralize(r.o.Commands)
	for _, p := range problems {
		if _, err := io.WriteString(w, strings.ReplaceAll(r.masked(p.String()), "\n", " ")+"\n"); err != nil {
			return fmt.Errorf("print a problem: %w", err)
		}
	}
	return nil
}
