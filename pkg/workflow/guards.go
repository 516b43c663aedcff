package workflow

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// The rules of the jobs that run the tool.
const (
	RuleSecrets = "workflow-secrets"
	RuleGate    = "workflow-gate"
	RuleBranch  = "workflow-branch"
)

// What to do about a finding.
const (
	copyAgain = "copy the shipped workflow again: remove the file, run `metapipe validate --write-workflows`, and commit the result"
	moveStep  = "move the step that needs it to a job of its own"
	askBranch = "add to the job: if: github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
)

// secretsRead matches what an expression reads of secrets: one by its name, or more of them at once. GitHub compares names
// and functions without regard to case.
var secretsRead = text.Pattern(`(?i)\bsecrets\s*(?:\.\s*([a-z_][a-z0-9_-]*)|\[\s*'([^']*)'\s*\]|(\.\s*\*|\[|\)))`)

// harmless are the secrets of jobs that run the tool: the key of plans, the cloud, and tokens that only read.
var harmless = []string{"METAPIPE_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SOURCE_REPOS_READ_PAT", "METAPIPE_READ_APP_PRIVATE_KEY", "GITHUB_TOKEN", "GITHUB_COM_TOKEN"}

// writers are those that can write to repositories.
var writers = []string{"SOURCE_REPOS_PAT", "METAPIPE_APP_PRIVATE_KEY", "MANAGER_REPO_PAT", "all secrets"}

// Called are the workflows of the same repository that the jobs of the workflow raw call, each
// once, in the order of the file.
func Called(raw []byte) (files []string) {
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&document); err != nil || len(document.Content) == 0 {
		return nil
	}
	for _, job := range jobsOf(document.Content[0]) {
		for _, uses := range texts(get(job, "uses")) {
			if strings.HasPrefix(uses, "./") && !slices.Contains(files, uses) {
				files = append(files, uses)
			}
		}
	}
	return files
}

// CheckGuards looks at each job of the manager's workflows that runs metapipe. The first one of a
// run asks for the default branch, whose content is reviewed. The machine of one that runs the tool runs
// the code of providers and modules, so it must not see a token that can write to customers'
// repositories, nor another secret than those that stacks need, whose names are needed; and an apply
// waits at the gate of its environment. root is the top of the manager's checkout.
func CheckGuards(root fs.FS, needed ...string) (problems pipeline.Problems) {
	texts := workflowTexts(root)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		problems = append(problems, unguarded(name, texts[name], needed)...)
	}
	return problems
}

var (
	runsTool  = commandPattern("plan", "apply", `drift\s+scan`)
	runsApply = commandPattern("apply")
	// runsOnManager are the commands that work on the manager's default branch alone.
	runsOnManager = commandPattern("fetch-vars", `plan\b[^\n]*--request`, "apply", "report", "drift", "sweep", "sync")
	asksBranch    = text.Pattern(`(?s)github\.ref\s*==\s*format\(.*default_branch`)
)

// unguarded are the problems of one workflow.
func unguarded(file, text string, needed []string) (problems pipeline.Problems) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) == 0 {
		return nil // GitHub says so, and runs nothing
	}
	root := document.Content[0]
	for key, job := range jobsOf(root) {
		script := scriptsOf(job)
		add := func(line int, rule, remedy, message string, values ...any) {
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: file, Line: line}, Rule: rule, Warning: rule != RuleGate, Message: fmt.Sprintf(message, values...), Remedy: remedy})
		}
		if runsOnManager().MatchString(script) && startsItself(get(root, "on")) && get(job, "needs") == nil && !asksBranch().MatchString(strings.Join(texts(get(job, "if")), "")) {
			add(key.Line, RuleBranch, askBranch, "the job %q runs metapipe and does not ask for the default branch: a run on another branch ends in an error of metapipe, and not before it", key.Value)
		}
		if !runsTool().MatchString(script) {
			continue
		}
		for _, seen := range append(secretsIn(get(root, "env")), secretsIn(job)...) {
			harm, remedy := "", moveStep
			switch {
			case slices.Contains(writers, seen.name):
				harm, remedy = " and write to customers' repositories", copyAgain
			case slices.ContainsFunc(needed, func(name string) bool { return strings.EqualFold(name, seen.name) }):
				continue
			}
			add(seen.line, RuleSecrets, remedy, "the job %q runs the tool and sees %s: every provider and module of a plan could take it%s", key.Value, seen.name, harm)
		}
		switch environment := get(job, "environment"); {
		case !runsApply().MatchString(script):
		case !gated(environment):
			add(key.Line, RuleGate, copyAgain, "the job %q applies and has no environment of the name <environment>-apply: no reviewer is asked", key.Value)
		case get(get(get(get(root, "on"), "workflow_call"), "inputs"), "environment") != nil && !strings.Contains(strings.Join(environmentNames(environment), ""), "inputs.environment"):
			add(key.Line, RuleGate, copyAgain, "the job %q applies to the environment that its workflow is called with, and always waits at the gate %s", key.Value, strings.Join(environmentNames(environment), ""))
		}
	}
	return problems
}

// startsItself reports whether events start a workflow, besides jobs that call it.
func startsItself(on *yaml.Node) bool {
	if on == nil || on.Kind != yaml.MappingNode {
		return on != nil && !slices.Equal(texts(on), []string{"workflow_call"})
	}
	return len(on.Content) > 2 || get(on, "workflow_call") == nil
}

// scriptsOf are the scripts of the steps of a job, one below the other.
func scriptsOf(job *yaml.Node) string {
	var all []string
	if steps := get(job, "steps"); steps != nil {
		for _, step := range steps.Content {
			for _, script := range texts(get(step, "run")) {
				all = append(all, joinedLines(script))
			}
		}
	}
	return strings.Join(all, "\n")
}

// environmentNames is the name under `environment`, none where there is none.
func environmentNames(environment *yaml.Node) []string {
	if name := get(environment, "name"); name != nil {
		environment = name
	}
	return texts(environment)
}

// gated reports whether `environment` names a gate.
func gated(environment *yaml.Node) bool {
	named := environmentNames(environment)
	return len(named) == 1 && strings.HasSuffix(named[0], "-"+string(pipeline.WorkApply))
}

type seenSecret struct {
	name string
	line int
}

// secretsIn are the secrets that the texts below a node read and that a job which runs the tool does not need, each once.
func secretsIn(node *yaml.Node) (found []seenSecret) {
	if node == nil {
		return nil
	}
	for _, match := range secretsRead().FindAllStringSubmatch(node.Value, -1) {
		name := strings.ToUpper(match[1] + match[2])
		if slices.Contains(harmless, name) {
			continue
		}
		if name == "" {
			name = "all secrets"
		}
		found = append(found, seenSecret{name, node.Line})
	}
	for _, child := range node.Content { // an alias has none: what it stands for is elsewhere in the file
		for _, seen := range secretsIn(child) {
			if !slices.ContainsFunc(found, func(s seenSecret) bool { return s.name == seen.name }) {
				found = append(found, seen)
			}
		}
	}
	return found
}
