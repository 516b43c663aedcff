package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/text"
	"github.com/metapipe/metapipe/pkg/workflow"
	"github.com/metapipe/metapipe/workflows"
)

// workflows checks the manager's workflows, and writes them before that where the
// operator asks for it. A manager whose metapipe.yml has errors has no targets to
// compare with.
func (v *validation) workflows(found pipeline.Problems) error {
	if broken(found) {
		if v.o.writeWorkflows {
			v.app.logf("not written: %s; fix %s first", workflow.File, config.ManagerFile)
		}
		return nil
	}
	root, err := os.OpenRoot(v.o.managerDir)
	if err != nil {
		return fmt.Errorf("open the manager checkout: %w", text.FileError(err))
	}
	defer root.Close()
	if v.o.writeWorkflows {
		if err := v.writeMissing(root); err != nil {
			return err
		}
	}
	raw, err := readWorkflow(root, workflow.File)
	if errors.Is(err, fs.ErrNotExist) {
		v.lacks(forGitHub, "the workflows in "+workflow.Dir, "run `metapipe validate --write-workflows` and commit them")
		return nil
	}
	if err != nil {
		return pipeline.Usagef("read %s of the manager", workflow.File).Because(text.FileError(err)).
			Nextf("make it a plain file, or remove it and run `metapipe validate --write-workflows`")
	}
	if v.o.writeWorkflows {
		if raw, err = v.writeChain(root, raw, v.config.Manager.Chain()); err != nil {
			return err
		}
	}
	v.add(workflow.Check(raw, v.config.Manager.Chain())...)
	if err := v.called(root, workflow.File, workflow.Target); err != nil {
		return err
	}
	needed := v.neededVariables()
	var names []string
	for _, n := range needed {
		names = append(names, n.Name)
	}
	v.add(workflow.CheckGuards(root.FS(), names...)...)
	v.add(workflow.CheckScheduled(root.FS())...)
	v.add(workflow.CheckVariables(root.FS(), needed)...)
	v.add(workflow.CheckState(root.FS(), pipeline.Position{File: config.ManagerFile}, v.config.Manager.State)...)
	return v.playable(root)
}

// playable holds that GitHub can start the workflows that run metapipe, and says which of them are not as shipped.
func (v *validation) playable(root *os.Root) error {
	files := []string{workflow.File}
	for _, command := range []string{"fetch-vars", "drift", "sweep", "compliance", "sync"} {
		if file, found := workflow.Find(root.FS(), command); found && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	if v.result.Problems.Err() == nil { // otherwise it would say the same again
		for _, file := range files {
			v.add(workflowSyntax(root.FS(), file)...)
		}
	}
	shipped, err := fs.Sub(workflows.Files, "manager")
	if err != nil {
		return fmt.Errorf("read the shipped workflows: %w", err)
	}
	var edited []string
	for _, at := range workflow.Edited(root.FS(), shipped) {
		edited = append(edited, fmt.Sprintf("%s from line %d", path.Base(at.File), at.Line))
	}
	if len(edited) == 0 {
		v.checked("the workflows in %s", workflow.Dir)
		return nil
	}
	v.checked("the workflows in %s; not as shipped: %s (`metapipe rehearse` plays them as they are)", workflow.Dir, strings.Join(edited, ", "))
	return nil
}

// workflowSyntax is what makes GitHub refuse a workflow, or one that it calls. A key that is not known is a warning, since
// GitHub may have it.
func workflowSyntax(root fs.FS, file string) (problems pipeline.Problems) {
	_, err := runner.Load(root, file)
	for _, wrong := range runner.FileErrors(err) {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: wrong.File, Line: wrong.Line}, Rule: workflow.RuleSyntax,
			Message: wrong.Reason, Remedy: "fix the line: GitHub would start no run"})
		if last := &problems[len(problems)-1]; strings.HasPrefix(wrong.Reason, "unexpected key") && !strings.Contains(wrong.Reason, "for step to run") {
			last.Warning, last.Remedy = true, "fix the line, unless GitHub's documentation has this key: then it is newer than this check"
		}
	}
	return problems
}

// called checks a workflow that the jobs of another file call, and those that it calls itself.
func (v *validation) called(root *os.Root, by, name string) error {
	raw, err := readWorkflow(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		v.add(pipeline.Problem{Position: pipeline.Position{File: path.Clean(by)}, Rule: workflow.RuleChain,
			Message: "the jobs call " + name + ", which is not there: GitHub would start no run at all", Remedy: "run `metapipe validate --write-workflows` and commit the file"})
		return nil
	}
	if err != nil {
		return pipeline.Usagef("read %s of the manager", name).Because(text.FileError(err)).
			Nextf("make it a plain file, or remove it and run `metapipe validate --write-workflows`")
	}
	if name != workflow.Target {
		return nil
	}
	v.add(workflow.CheckTarget(raw, v.config.Manager.Chain())...)
	for _, next := range workflow.Called(raw) {
		if err := v.called(root, name, next); err != nil {
			return err
		}
	}
	return nil
}

// writeMissing writes the shipped workflows that the manager lacks. It replaces nothing.
func (v *validation) writeMissing(root *os.Root) error {
	shipped, err := fs.Sub(workflows.Files, "manager")
	if err != nil {
		return fmt.Errorf("read the shipped workflows: %w", err)
	}
	missing, err := workflow.Missing(root.FS(), shipped)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(workflow.Dir, 0o755); err != nil {
		return pipeline.Usagef("make %s", workflow.Dir).Because(text.FileError(err)).
			Nextf("make it a plain directory that this user may write")
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if err := replace(root, name, missing[name]); err != nil {
			return err
		}
		v.wrote(name)
	}
	return nil
}

// wrote names a file that was written, once: the shipped workflow may be new, and the
// chain of jobs be written into it after that.
func (v *validation) wrote(name string) {
	if !slices.Contains(v.written, name) {
		v.written = append(v.written, name)
		v.app.logf("written: %s", name)
	}
}

func readWorkflow(root *os.Root, name string) (raw []byte, err error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err = io.ReadAll(io.LimitReader(f, workflow.MaxBytes+1))
	if err == nil && len(raw) > workflow.MaxBytes {
		err = fmt.Errorf("the file is larger than %d bytes", workflow.MaxBytes)
	}
	return raw, err
}

func (v *validation) writeChain(root *os.Root, raw []byte, chain []pipeline.Target) ([]byte, error) {
	written, err := workflow.Write(raw, chain)
	if err != nil {
		return nil, pipeline.Usagef("write the chain of jobs into %s", workflow.File).Because(err).
			Nextf("put the two comments around its jobs for environments, or remove the file and run this again")
	}
	if string(written) == string(raw) {
		return raw, nil
	}
	if err := replace(root, workflow.File, written); err != nil {
		return nil, err
	}
	v.wrote(workflow.File)
	return written, nil
}

// replace writes a file beside the old one first, so that a full disk leaves that.
func replace(root *os.Root, name string, content []byte) error {
	beside := strings.TrimSuffix(name, "/") + ".new"
	if err := root.WriteFile(beside, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", beside, text.FileError(err))
	}
	if err := root.Rename(beside, name); err != nil {
		return fmt.Errorf("write %s: %w", name, text.FileError(err))
	}
	return nil
}
