// Package workflow compares the chain of jobs in the manager's workflow with the
// environments and stacks of metapipe.yml, and writes it.
//
// Jobs of a matrix have no order among themselves
// (https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstrategymatrix),
// so the promotion from one environment to the next is a static chain of jobs.
package workflow

import (
	"bytes"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// File is the manager's workflow in its repository, and Target the reusable one
// for one target that its jobs call.
const (
	File   = ".github/workflows/infra-deploy.yml"
	Target = "./.github/workflows/infra-target.yml"
)

// MaxBytes is the size of the largest workflow that is read.
const MaxBytes = 1 << 20

// The rules of the workflow.
const (
	RuleUnreadable = "unreadable-workflow"
	RuleChain      = "workflow-chain"
	RuleEdited     = "workflow-edited"
	RuleSyntax     = "workflow-syntax"
)

const rewrite = "run `metapipe validate --write-workflows` and commit the file"

// chainJob is a job that calls Target.
type chainJob struct {
	id     string
	line   int
	target pipeline.Target // as written: its names may be none
	needs  []string
}

// Check compares the workflow raw with the chain of targets that metapipe.yml says, in the
// order of deployment. A chain that leads to the same targets in the same order and is
// written in another way is a warning only.
func Check(raw []byte, chain []pipeline.Target) pipeline.Problems {
	c := checker{}
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&document); err != nil || len(document.Content) == 0 {
		c.add(0, RuleUnreadable, fmt.Sprintf("the workflow is not YAML: %v", err), "fix the file, or copy it again")
		return c.problems
	}
	jobs, finish := chainOf(document.Content[0])
	c.targets(jobs, chain)
	c.order(jobs)
	if finish.id == "" {
		c.add(0, RuleChain, "there is no job finish, so a request that is cancelled would stay pending", rewrite)
	} else {
		c.needs(finish, jobs)
	}
	if len(c.problems) == 0 {
		c.edited(raw, chain)
	}
	return c.problems
}

// CheckTarget holds that the workflow raw, which is Target, takes a stack where the chain
// hands it one: GitHub starts no run at all with an input that is not declared.
func CheckTarget(raw []byte, chain []pipeline.Target) pipeline.Problems {
	stacked := slices.ContainsFunc(chain, func(t pipeline.Target) bool { return t.Stack != "" })
	file := path.Clean(Target)
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&document); err != nil || len(document.Content) == 0 {
		return pipeline.Problems{{Position: pipeline.Position{File: file}, Rule: RuleUnreadable, Message: fmt.Sprintf("the workflow is not YAML: %v", err), Remedy: "fix the file, or copy it again"}}
	}
	if !stacked || get(get(get(get(document.Content[0], "on"), "workflow_call"), "inputs"), "stack") != nil {
		return nil
	}
	return pipeline.Problems{{Position: pipeline.Position{File: file}, Rule: RuleChain,
		Message: "metapipe.yml names stacks, and the workflow has no input `stack`: GitHub would start no run at all",
		Remedy:  "remove the file, run `metapipe validate --write-workflows`, and commit both workflows"}}
}

type checker struct {
	problems pipeline.Problems
}

func (c *checker) add(line int, rule, message, remedy string) {
	c.problems = append(c.problems, pipeline.Problem{Position: pipeline.Position{File: File, Line: line}, Rule: rule, Message: message, Remedy: remedy})
}

// targets holds that each target has its one job, in the same order.
func (c *checker) targets(jobs []chainJob, want []pipeline.Target) {
	var got []pipeline.Target
	for _, j := range jobs {
		switch {
		case !slices.Contains(want, j.target):
			c.add(j.line, RuleChain, fmt.Sprintf("job %q deploys to %q, which metapipe.yml does not name", j.id, j.target.Name()), rewrite)
		case slices.Contains(got, j.target):
			c.add(j.line, RuleChain, fmt.Sprintf("job %q deploys to %q a second time", j.id, j.target.Name()), rewrite)
		default:
			got = append(got, j.target)
		}
	}
	for _, t := range want {
		if !slices.Contains(got, t) {
			c.add(0, RuleChain, fmt.Sprintf("no job deploys to %q, which metapipe.yml names: its requests would never be planned", t.Name()), rewrite)
		}
	}
	if len(c.problems) == 0 && !slices.Equal(got, want) {
		c.add(jobs[0].line, RuleChain, fmt.Sprintf("the jobs promote through %s, and metapipe.yml through %s", list(got), list(want)), rewrite)
	}
}

// order holds that each job waits for prepare and for all targets before it.
func (c *checker) order(jobs []chainJob) {
	for i, j := range jobs {
		if !slices.Contains(j.needs, "prepare") {
			c.add(j.line, RuleChain, fmt.Sprintf("job %q does not need the job prepare", j.id), rewrite)
		}
		c.needs(j, jobs[:i])
	}
}

func (c *checker) needs(j chainJob, earlier []chainJob) {
	for _, e := range earlier {
		if !slices.Contains(j.needs, e.id) {
			c.add(j.line, RuleChain, fmt.Sprintf("job %q does not need %q: it would not wait for %s", j.id, e.id, e.target.Name()), rewrite)
		}
	}
}

// edited reports a chain that was changed by hand, at its first other line.
func (c *checker) edited(raw []byte, chain []pipeline.Target) {
	written, err := Write(raw, chain)
	if err != nil || bytes.Equal(raw, written) {
		return // without marks the file is its owner's own
	}
	was, is := strings.Split(string(raw), "\n"), strings.Split(string(written), "\n")
	line := 0
	for line < len(was) && line < len(is) && was[line] == is[line] {
		line++
	}
	c.add(line+1, RuleEdited, "the chain of jobs is not as metapipe writes it",
		"take your change out of the marks, or remove them if the chain is yours now; `metapipe validate --write-workflows` writes it anew")
	c.problems[len(c.problems)-1].Warning = true
}

func list(chain []pipeline.Target) string {
	names := make([]string, len(chain))
	for i, t := range chain {
		names[i] = t.Name()
	}
	return strings.Join(names, " → ")
}

// chainOf reads the jobs that call Target, in the order of the file, and the job
// finish.
func chainOf(root *yaml.Node) (jobs []chainJob, finish chainJob) {
	for key, body := range jobsOf(root) {
		j := chainJob{id: key.Value, line: key.Line, needs: texts(get(body, "needs"))}
		switch {
		case j.id == "finish":
			finish = j
		case slices.Equal(texts(get(body, "uses")), []string{Target}):
			j.target = targetOf(get(body, "with"))
			jobs = append(jobs, j)
		}
	}
	return jobs, finish
}

// jobsOf are the ids of a workflow's jobs with their content, in the order of the file.
func jobsOf(root *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(id, job *yaml.Node) bool) {
		jobs := get(root, "jobs")
		if jobs == nil || jobs.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(jobs.Content) && yield(jobs.Content[i], jobs.Content[i+1]); i += 2 {
		}
	}
}

// targetOf reads which target a job hands to Target.
func targetOf(with *yaml.Node) (t pipeline.Target) {
	if env := texts(get(with, "environment")); len(env) == 1 {
		t.Environment = pipeline.Environment(env[0])
	}
	if stack := texts(get(with, "stack")); len(stack) == 1 {
		t.Stack = pipeline.StackName(stack[0])
	}
	return t
}

// get returns the value of a key, nil where there is none.
func get(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// texts returns a text, or the texts of a list.
func texts(node *yaml.Node) []string {
	switch {
	case node == nil:
		return nil
	case node.Kind == yaml.ScalarNode:
		return []string{node.Value}
	case node.Kind != yaml.SequenceNode:
		return nil
	}
	var out []string
	for _, item := range node.Content {
		out = append(out, texts(item)...)
	}
	return out
}
