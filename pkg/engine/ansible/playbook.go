package ansible

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The variables of a run that metapipe sets.
const (
	configVariable = "config"
	ownVariable    = "metapipe"
)

// The rules of what keeps a plan from using a root.
const (
	ruleNoPlaybook = "no-playbook"
	ruleSyntax     = "ansible-syntax"
	ruleRealTask   = "runs-in-check"
)

// neededVariable is the variable of the outputs of a stack. No variable of Ansible has a hyphen.
func neededVariable(stack pipeline.StackName) string {
	return strings.ReplaceAll(string(stack), "-", "_")
}

// checkPlaybook refuses a root whose plan would change something.
func (w *workspace) checkPlaybook() error {
	file := filepath.Join(w.root, w.playbook)
	if !isFile(file) {
		if w.job.Destroy {
			return &pipeline.RefusedError{Reason: pipeline.ReasonNoDestroy, Next: pipeline.ProviderNext,
				Message:  fmt.Sprintf("the stack %s cannot be destroyed: Ansible does not know how to undo a playbook, and %s is not there", w.job.Stack, w.inRoot(destroyFile)),
				Operator: "write the playbook that removes what the stack has built, as " + w.inRoot(destroyFile)}
		}
		return pipeline.Usagef("the root %q of %s holds no %s", w.job.Root(), w.job.Target(), playbookFile).Nextf("write the playbook of the stack as %s", w.inRoot(playbookFile))
	}
	tasks, problems := realTasks(w.tree, w.job.Root())
	if len(problems) > 0 {
		return pipeline.Usagef("the code of %s cannot be read: %s", w.job.Target(), problems[0].Message).Nextf("%s", problems[0].Remedy)
	}
	for _, t := range tasks {
		if !slices.Contains(w.job.Tool().Ansible.RunsInCheck, t.name) {
			return w.realTask(t.what(), t.at)
		}
	}
	return nil
}

// realTask is the error of a task that a plan would carry out.
func (w *workspace) realTask(what string, at pipeline.Position) error {
	return &pipeline.UsageError{Message: fmt.Sprintf("%s of %s would run for real in a plan: it has check_mode other than true (%s)", what, w.job.Target(), at),
		Next: "remove check_mode; or, where the task changes nothing, list its name in ansible.runs_in_check of the stack in metapipe.yml"}
}

// realTask is a mapping of a playbook with a check_mode other than true.
type realTask struct {
	name string
	at   pipeline.Position
}

func (t realTask) what() string {
	if t.name == "" {
		return "a task without a name"
	}
	return "the task " + pipeline.Quote(t.name)
}

// realTasks finds what in the YAML files of a root does not obey check mode. dir is the
// manager's checkout.
func realTasks(dir, root string) (tasks []realTask, problems pipeline.Problems) {
	err := filepath.WalkDir(filepath.Join(dir, filepath.FromSlash(root)), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() || !slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(file)) {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		at := pipeline.Position{File: filepath.ToSlash(rel), Line: 1}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(content, []byte("$ANSIBLE_VAULT")) || !bytes.Contains(content, []byte("check_mode")) {
			return nil
		}
		for decoder := yaml.NewDecoder(bytes.NewReader(content)); ; {
			var document yaml.Node
			err := decoder.Decode(&document)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				problems = append(problems, pipeline.Problem{Position: at, Rule: ruleSyntax, Message: fmt.Sprintf("%s is no YAML: %v", rel, err), Remedy: "correct it"})
				return nil
			}
			tasks = append(tasks, unchecked(&document, at.File, 0)...)
		}
	})
	if err != nil {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: root}, Rule: ruleSyntax, Message: err.Error(), Remedy: "make it a directory that can be read"})
	}
	return tasks, problems
}

// maxDepth bounds the nesting that is looked at; what is deeper the callback sees.
const maxDepth = 100

// aliased is what a node stands for: an alias has the text of its name.
func aliased(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func unchecked(n *yaml.Node, file string, depth int) (found []realTask) {
	if depth > maxDepth {
		return nil
	}
	if n.Kind == yaml.MappingNode {
		name := ""
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "name" {
				name = aliased(n.Content[i+1]).Value
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], aliased(n.Content[i+1])
			if key.Value == "check_mode" && !slices.Contains([]string{"true", "yes", "on"}, strings.ToLower(value.Value)) {
				found = append(found, realTask{name: name, at: pipeline.Position{File: file, Line: key.Line}})
			}
		}
	}
	for _, child := range n.Content {
		found = append(found, unchecked(child, file, depth+1)...)
	}
	return found
}

// checkNeeded finds what the code reads of outputs that are not known yet. Nothing is planned
// then: a value in their place would be a guess.
func (w *workspace) checkNeeded() error {
	var waits []pipeline.Diagnostic
	var unknown []string
	for _, needed := range w.job.Needed {
		name := neededVariable(needed.Stack)
		if name == configVariable || name == ownVariable || strings.HasPrefix(name, "ansible") {
			return pipeline.Usagef("the stack %s needs a stack with the name %s, which is a variable of its own here", w.job.Stack, needed.Stack).Nextf("give that stack another name in metapipe.yml")
		}
		if err := pipeline.CheckOutputs(needed.Values); err != nil {
			return w.failed(fmt.Sprintf("read the outputs of %s", needed.Stack), err)
		}
		open := map[string]bool{}
		for _, o := range needed.Values {
			open[o.Name] = !o.Known()
		}
		if needed.Unknown != "" {
			unknown = append(unknown, needed.Unknown)
		}
		found, err := w.unknownReferences(needed, open)
		if err != nil {
			return w.failed("read the root of the stack", err)
		}
		waits = append(waits, found...)
	}
	if len(waits) == 0 && len(unknown) == 0 {
		return nil
	}
	var parts []string
	if len(waits) > 0 {
		parts = append(parts, waits[0].Summary)
	}
	return &pipeline.DeferredError{Message: strings.Join(append(parts, unknown...), "; "), Waits: waits}
}

// unknownReferences are the places of the root that name an output which is not known, and
// the inventory and host keys that come from one.
func (w *workspace) unknownReferences(needed pipeline.NeededOutputs, open map[string]bool) (waits []pipeline.Diagnostic, err error) {
	wait := func(what, output string, at pipeline.Position) {
		waits = append(waits, pipeline.Diagnostic{Warning: true, Where: at,
			Summary: fmt.Sprintf("%s depends on %s of %s that is not known yet", what, output, needed.Stack)})
	}
	for _, name := range []string{inventoryOutput, knownHostsOutput} {
		if open[name] {
			wait("a connection", "the output "+name, pipeline.Position{})
		}
	}
	if needed.Unknown == "" && !slices.ContainsFunc(needed.Values, func(o pipeline.OutputValue) bool { return !o.Known() }) {
		return waits, nil
	}
	reference, err := regexp.Compile(`\b` + regexp.QuoteMeta(neededVariable(needed.Stack)) + `\b(?:\.([A-Za-z_][A-Za-z0-9_-]*)|\[\s*['"]([^'"]+)['"]\s*\])?`)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(w.root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(file, filepath.Join(w.root, collectionsDir)+string(filepath.Separator)) {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range reference.FindAllSubmatchIndex(content, -1) {
			output := ""
			for _, group := range []int{2, 4} {
				if m[group] >= 0 {
					output = string(content[m[group]:m[group+1]])
				}
			}
			if output != "" && needed.Unknown == "" && !open[output] {
				continue
			}
			what := "an output"
			if output != "" {
				what = "the output " + output
			}
			at := w.place(fmt.Sprintf("%s:%d", file, 1+bytes.Count(content[:m[0]], []byte("\n"))))
			wait(at.String(), what, at)
		}
		return nil
	})
	return waits, err
}

// CheckRoot implements pipeline.RootReader.
func (*Engine) CheckRoot(dir, root, _ string) (problems pipeline.Problems, parsed bool) {
	file := path.Join(root, playbookFile)
	content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
	if err != nil {
		return pipeline.Problems{{Position: pipeline.Position{File: file}, Rule: ruleNoPlaybook, Message: "the root of a stack of Ansible holds no " + playbookFile,
			Remedy: "write the playbook of the stack there"}}, false
	}
	var plays []map[string]yaml.Node
	if err := yaml.Unmarshal(content, &plays); err != nil {
		return pipeline.Problems{{Position: pipeline.Position{File: file, Line: 1}, Rule: ruleSyntax, Message: fmt.Sprintf("it is no list of plays: %v", err), Remedy: "correct it"}}, false
	}
	tasks, problems := realTasks(dir, root)
	for _, t := range tasks {
		problems = append(problems, pipeline.Problem{Position: t.at, Rule: ruleRealTask, Warning: true,
			Message: t.what() + " has check_mode other than true: plans run it for real, and are refused unless ansible.runs_in_check of the stack lists it",
			Remedy:  "remove check_mode, or make sure that the task changes nothing"})
	}
	return problems, problems.Err() == nil
}

// RootVariables implements pipeline.RootReader: a playbook takes every key, in `config`.
func (*Engine) RootVariables(string, string, string) (map[string]bool, error) { return nil, nil }

// OwnVariable implements pipeline.RootReader.
func (*Engine) OwnVariable(name string) bool { return name == configVariable || name == ownVariable }

// CheckTree implements pipeline.RootReader.
func (*Engine) CheckTree(ctx context.Context, dir, root, stateDir string) (pipeline.Problems, error) {
	return tree.CheckTree(ctx, dir, root, stateDir, nil)
}
