package rehearsal

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	"github.com/metapipe/metapipe/pkg/text"
	"github.com/metapipe/metapipe/pkg/workflow"
)

// Begin shows a script. Actions are shown when they fail.
func (st *stage) Begin(s *runner.Step) func(runner.Shown) {
	if s.Uses != "" {
		return func(line runner.Shown) {
			st.mu.Lock()
			defer st.mu.Unlock()
			on := st.jobs[s.Job.Path]
			on.lines[s] = append(on.lines[s], line)
		}
	}
	return st.show(s).line
}

// show begins the event of a step.
func (st *stage) show(s *runner.Step) *event {
	command, line := workflow.CommandOf(s.Script)
	title, detail := s.Job.Name, shownLine(line, s)
	quiet := command == "" || command == "report"
	switch {
	case command == "":
		title, detail = title+" › "+s.Name, s.Uses
	case !strings.HasPrefix(s.Job.ID, command):
		title += " › " + command
	}
	var e *event
	if quiet {
		e = st.narrator.beginQuietly(st.run.who, title, detail)
	} else {
		e = st.narrator.begin(st.run.who, title, detail)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if command != "" && !st.printed {
		st.printed, e.anchor = true, story.RunAnchor(st.run.Record.ID)
	}
	on := st.jobs[s.Job.Path]
	on.events[s] = e
	return e
}

var variable = text.Pattern(`"?\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*|@))"?`)

// shownLine is a line of a script with the values of its variables, secrets hidden.
func shownLine(line string, s *runner.Step) string {
	line = variable().ReplaceAllStringFunc(strings.TrimSpace(line), func(hit string) string {
		name := strings.Trim(hit, `"${}`)
		if name == "@" {
			return ""
		}
		value := s.Env[name]
		if value == "" || strings.ContainsAny(value, " \t\n\"'") {
			return strconv.Quote(value)
		}
		return value
	})
	return s.Job.Masks.Hide(strings.TrimSpace(line))
}

// End writes down what came back from a step.
func (st *stage) End(s *runner.Step) {
	st.mu.Lock()
	on := st.jobs[s.Job.Path]
	e, lines := on.events[s], on.lines[s]
	st.mu.Unlock()
	if s.Uses != "" {
		if s.Problem == "" {
			return
		}
		e = st.show(s)
		for _, line := range lines {
			e.line(line)
		}
	}
	command, _ := workflow.CommandOf(s.Script)
	outputs, _ := s.Job.Masks.WithoutSecrets(s.Outputs)
	result := stepResult{command: command, exit: s.Exit, outputs: outputs, annotations: s.Annotations, summary: s.Summary, event: e, target: targetOf(s.Job).Name()}
	mark, answer := answerOf(result)
	switch {
	case s.Problem != "":
		mark, answer = story.Failed, s.Problem
	case command == "" && s.Exit == 0:
		mark, answer = story.Done, ""
	case command == "": // the exit codes of other programs mean something else
		mark, answer = story.Failed, fmt.Sprintf("failed (exit code %d)", s.Exit)
	}
	e.end(mark, answer)
	e.showLog()
	if s.Summary != "" {
		e.show(story.Part{Kind: story.Summary, Title: "Job summary", Markdown: s.Summary})
	}
	st.mu.Lock()
	if command == "" && mark == story.Failed && on.failed == "" {
		on.failed = fmt.Sprintf("the step %q of the job %s (%s:%d): %s", s.Name, s.Job.Name, s.File, s.Line, answer)
	}
	on.number++
	number := on.number
	if command != "" {
		st.results = append(st.results, result)
	}
	if gate := applyEnvironment(string(targetOf(s.Job).Environment)); command == string(pipeline.WorkApply) && s.Job.Environment != gate && st.ungated == "" {
		st.ungated = fmt.Sprintf("the job %s has the environment %q, and not %s: GitHub asks its reviewers at another gate, or at none", s.Job.Name, s.Job.Environment, gate)
	}
	st.mu.Unlock()
	var errs []error
	if command != "" && command != "trigger" {
		errs = append(errs, st.tellNews(e))
	}
	st.countCalls(s, command)
	name := command
	if name == "" {
		name = "step"
	}
	errs = append(errs, st.folder.write([]byte(e.text.String()), string(st.run.who), "logs", fmt.Sprintf("%s-%02d-%s.log", st.fileName(s.Job), number, name)))
	st.mu.Lock()
	defer st.mu.Unlock()
	st.errs = append(st.errs, errs...)
}

// failedStep notes the first step of somebody's own with which a job has failed.
func (s *rehearsal) failedStep(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.firstFailed == "" {
		s.firstFailed = what
	}
}

// showLog puts the step's log below it, folded, if there is one.
func (e *event) showLog() {
	text := e.text.String()
	if text == "" {
		return
	}
	e.show(story.Part{Kind: story.Log, Title: "Log, " + count(strings.Count(text, "\n"), "line"), Text: "$ " + clean(e.detail) + "\n" + text})
}
