package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// step is a command with the secrets that the workflow gives it.
type step struct {
	args    []string
	secrets []string
	extra   map[string]string // further variables
}

// do runs one step. The error is ours: a step that fails is a result.
func (j *job) do(ctx context.Context, s step) (stepResult, error) {
	j.count++
	result := stepResult{command: s.args[0]}
	dir := filepath.Join(j.dir, "step-"+strconv.Itoa(j.count))
	if err := j.prepare(dir); err != nil {
		return result, err
	}
	extra := map[string]string{}
	for name, value := range s.extra {
		extra[name] = value
	}
	for _, name := range s.secrets {
		extra[name] = j.secrets[name]
	}
	reader := &interpreter{masks: j.masks}
	command := "metapipe " + strings.Join(s.args, " ")
	result.event = j.begin(result.command, command)
	e := result.event
	if !j.run.printed {
		j.run.printed, e.anchor = true, story.RunAnchor(j.run.run.ID)
	}
	p := process{binary: j.opts.Binary, args: s.args, dir: j.workspace, env: j.environ(dir, extra), line: func(l string) { e.line(reader.read(l)) }}
	var err error
	if result.exit, err = p.run(ctx); err != nil {
		e.end(story.Failed, err.Error())
		e.showLog()
		return result, err
	}
	result.annotations = reader.annotations
	if err := j.collect(dir, &result); err != nil {
		e.end(story.Failed, err.Error())
		e.showLog()
		return result, fmt.Errorf("read what %s of job %s left behind: %w", result.command, j.name, err)
	}
	j.failed = j.failed || result.exit != 0
	mark, answer := answerOf(result)
	e.end(mark, answer)
	e.showLog()
	if result.summary != "" {
		e.show(story.Part{Kind: story.Summary, Title: "Job summary", Markdown: result.summary})
	}
	name := fmt.Sprintf("%s-%02d-%s.log", j.fileName(), j.count, result.command)
	j.countCalls(result.command)
	return result, j.folder.write([]byte(e.text.String()), string(j.run.who), "logs", name)
}

// begin prints a step under the name of its job, and of its command where the
// name does not say it.
func (j *job) begin(subcommand, command string) *event {
	title := j.name
	if !strings.HasPrefix(title, subcommand) {
		title += " › " + subcommand
	}
	if subcommand == "report" {
		return j.narrator.beginQuietly(j.run.who, title, command)
	}
	return j.narrator.begin(j.run.who, title, command)
}

// prepare makes the files that the runner offers to a step.
func (j *job) prepare(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of a step of job %s: %w", j.name, err)
	}
	for _, name := range []string{"output", "env", "path", "step_summary"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			return fmt.Errorf("make the files of a step of job %s: %w", j.name, err)
		}
	}
	return nil
}

// maxSummary is the size of the largest summary of a step that GitHub keeps.
const maxSummary = 1 << 20

// collect reads outputs and summary. Outputs that hold a secret do not pass from
// job to job on GitHub, so they do not here.
func (j *job) collect(dir string, result *stepResult) error {
	outputs, err := readOutputs(filepath.Join(dir, "output"))
	if err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	kept, dropped := j.masks.withoutSecrets(outputs)
	for _, name := range dropped {
		result.event.line(shown{lineAnnotation, "warning: Skip output '" + name + "' since it may contain secret."})
	}
	result.outputs = kept
	for name, value := range kept {
		j.outputs[name] = value
	}
	summary, err := os.ReadFile(filepath.Join(dir, "step_summary"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("summary: %w", err)
	}
	if len(summary) > maxSummary {
		return fmt.Errorf("the summary has %d bytes, and GitHub keeps at most %d", len(summary), maxSummary)
	}
	if len(summary) > 0 {
		text := j.masks.hide(string(summary))
		j.summary.WriteString(text)
		result.summary = text
	}
	return nil
}

// showLog puts the step's log below it, folded, if there is one.
func (e *event) showLog() {
	text := e.text.String()
	if text == "" {
		return
	}
	e.show(story.Part{Kind: story.Log, Title: "Log, " + count(strings.Count(text, "\n"), "line"), Text: "$ " + clean(e.detail) + "\n" + text})
}

// countCalls adds up what the job's tokens were used for since its last step.
func (j *job) countCalls(subcommand string) {
	c := stepCalls{Step: fmt.Sprintf("%s run %d, %s: %s", j.run.who, j.run.run.Number, j.name, subcommand), Calls: []hub.Call{}}
	used := 0
	for _, call := range j.setup.hub.Calls() {
		if !slices.Contains(j.tokens, call.Token) {
			continue
		}
		if used++; used <= j.seen {
			continue
		}
		c.Calls = append(c.Calls, call)
		if call.Write() {
			c.Writes++
		} else {
			c.Reads++
		}
	}
	j.seen = used
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, c)
}
