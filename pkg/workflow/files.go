package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/text"
)

// Dir is where GitHub looks for workflows.
const Dir = ".github/workflows"

// The rules of the files beside the chain of jobs.
const (
	RuleMissing   = "workflow-missing"
	RuleStateHere = "state-on-hosted-runners"
	RuleFileName  = "workflow-file-name"
)

// scheduledWorkflow is a workflow of the manager that nothing else starts.
type scheduledWorkflow struct {
	name, command string
	without       string // what stays undone without it
	rules         string // only a manager with this file needs it; empty: each one does
}

var scheduled = []scheduledWorkflow{
	{"sweep.yml", "sweep", "requests of lost runners stay pending", ""},
	{"drift-detection.yml", "drift", "no drift is found", ""},
	{"property-compliance.yml", "compliance", "no repository is compared with compliance.yml", compliance.File},
	{"external-sync.yml", "sync", "no source of sync.yml is read", sourcesync.File},
}

// isNeeded reports whether the manager whose checkout root is needs the workflow.
func (s scheduledWorkflow) isNeeded(root fs.FS) bool {
	if s.rules == "" {
		return true
	}
	_, err := fs.Stat(root, s.rules)
	return !errors.Is(err, fs.ErrNotExist)
}

// CheckScheduled warns of a manager that has the workflow for requests and not those
// for the schedule. Each is found by the command that it runs, whatever its name.
// root is the top of the manager's checkout.
func CheckScheduled(root fs.FS) pipeline.Problems {
	var problems pipeline.Problems
	texts := workflowTexts(root)
	for _, s := range scheduled {
		if _, found := runs(texts, s.command); !found && s.isNeeded(root) {
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: path.Join(Dir, s.name)}, Rule: RuleMissing, Warning: true,
				Message: fmt.Sprintf("no workflow runs `metapipe %s`: %s", s.command, s.without), Remedy: rewrite})
		}
	}
	return problems
}

// CheckState warns of a manager that keeps its states in a directory while its
// workflows run on GitHub's machines: each job is another machine, so a plan never
// reaches its apply.
func CheckState(root fs.FS, at pipeline.Position, state pipeline.State) pipeline.Problems {
	if state.Directory == "" || state.Bucket.Name != "" {
		return nil
	}
	for name, text := range workflowTexts(root) {
		if _, uses := runs(map[string]string{name: text}, "plan", "apply"); !uses {
			continue
		}
		if label := hostedLabel(text); label != "" {
			return pipeline.Problems{{Position: at, Rule: RuleStateHere, Warning: true,
				Message: fmt.Sprintf("state.directory is %s, and %s runs on %s: each job there is another machine and finds no plan", state.Directory, name, label),
				Remedy:  "name a bucket with state.bucket, or let runs-on name one self-hosted runner"}}
		}
	}
	return nil
}

// workflowTexts are the workflows of a checkout by their paths. What cannot be read is
// left out: GitHub could not read it either.
func workflowTexts(root fs.FS) map[string]string {
	texts := map[string]string{}
	entries, err := fs.ReadDir(root, Dir)
	if err != nil {
		return texts
	}
	for _, e := range entries {
		name := path.Join(Dir, e.Name())
		info, err := e.Info()
		if err != nil || !e.Type().IsRegular() || info.Size() > MaxBytes || !slices.Contains([]string{".yml", ".yaml"}, path.Ext(name)) {
			continue
		}
		if raw, err := fs.ReadFile(root, name); err == nil {
			texts[name] = string(raw)
		}
	}
	return texts
}

// runs finds the workflow that runs one of the commands in a step; the accepted name
// comes first.
func runs(texts map[string]string, commands ...string) (name string, found bool) {
	pattern := commandPattern(commands...)()
	for file, text := range texts {
		for _, script := range scripts(text) {
			if pattern.MatchString(script) && (!found || file == intake.TriggerWorkflow || name != intake.TriggerWorkflow && file < name) {
				name, found = file, true
			}
		}
	}
	return name, found
}

func commandPattern(commands ...string) func() *regexp.Regexp {
	return text.Pattern(`(?m)(^|[\s/;&|("'])metapipe(\.exe)?["']?\s+(` + strings.Join(commands, "|") + `)(\s|$|["';&|)])`)
}

// scripts are the texts under `run` in a workflow.
func scripts(text string) (found []string) {
	var document struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string `yaml:"run"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil
	}
	for _, job := range document.Jobs {
		for _, step := range job.Steps {
			found = append(found, joinedLines(step.Run))
		}
	}
	return found
}

// continued is the end of a line that goes on in the next one, in the shells of runners:
// bash and sh, PowerShell, and cmd.
var continued = text.Pattern("[ \\t]*[\\\\`^]\\r?\\n[ \\t]*")

// joinedLines is a script with each command on one line.
func joinedLines(script string) string { return continued().ReplaceAllString(script, " ") }

// hosted are the labels of GitHub's own machines. Source:
// https://docs.github.com/actions/reference/runners/github-hosted-runners
var hosted = text.Pattern(`^(ubuntu|windows|macos)-`)

// hostedLabel is a label of GitHub's machines under `runs-on`, "" for none.
func hostedLabel(text string) string {
	var document struct {
		Jobs map[string]struct {
			RunsOn yaml.Node `yaml:"runs-on"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return ""
	}
	for _, job := range document.Jobs {
		for _, label := range texts(&job.RunsOn) {
			if hosted().MatchString(label) {
				return label
			}
		}
	}
	return ""
}

// Missing writes nothing and returns the manager's workflows that shipped holds and a
// checkout lacks, by their paths in it. shipped is the directory of the shipped ones.
// A scheduled one that stands under another name is not missing, nor is one whose rules the manager lacks.
func Missing(root, shipped fs.FS) (map[string][]byte, error) {
	entries, err := fs.ReadDir(shipped, ".")
	if err != nil {
		return nil, fmt.Errorf("read the shipped workflows: %w", err)
	}
	present := workflowTexts(root)
	missing := map[string][]byte{}
	for _, e := range entries {
		name := path.Join(Dir, e.Name())
		if _, err := fs.Stat(root, name); !errors.Is(err, fs.ErrNotExist) {
			continue // there, or not to be looked at
		}
		if i := slices.IndexFunc(scheduled, func(s scheduledWorkflow) bool { return s.name == e.Name() }); i >= 0 {
			if _, found := runs(present, scheduled[i].command); found || !scheduled[i].isNeeded(root) {
				continue
			}
		}
		if missing[name], err = fs.ReadFile(shipped, e.Name()); err != nil {
			return nil, fmt.Errorf("read the shipped workflows: %w", err)
		}
	}
	return missing, nil
}
