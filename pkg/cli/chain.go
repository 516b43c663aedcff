package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/workflow"
)

// chain compares the manager's workflow with its environments, and writes it
// before that where the operator asks for it. A manager without the workflow has
// no chain to compare, and one whose metapipe.yml has errors no environments. The
// errors of customers do not matter: those may wait for the new environments.
func (s *step) chain(o validateOptions, m pipeline.Manager, found pipeline.Problems) (problems pipeline.Problems, err error) {
	if slices.ContainsFunc(found, func(p pipeline.Problem) bool { return p.File == config.ManagerFile && !p.Warning }) {
		if o.writeWorkflows {
			s.app.tell("not written: %s; mend %s first", workflow.File, config.ManagerFile)
		}
		return nil, nil
	}
	environments := make([]pipeline.Environment, len(m.Environments))
	for i, rule := range m.Environments {
		environments[i] = rule.Name
	}
	root, err := os.OpenRoot(o.managerDir)
	if err != nil {
		return nil, fmt.Errorf("open the manager checkout: %w", err)
	}
	defer root.Close()
	raw, err := readWorkflow(root)
	if errors.Is(err, fs.ErrNotExist) && !o.writeWorkflows {
		return nil, nil
	}
	if err != nil {
		return nil, &pipeline.UsageError{Message: "read " + workflow.File + " of the manager", Err: err, Next: "copy it from the workflows of metapipe, beside infra-target.yml"}
	}
	if o.writeWorkflows {
		if raw, err = s.writeChain(root, raw, environments); err != nil {
			return nil, err
		}
	}
	problems = workflow.Check(raw, environments)
	if _, err := root.Stat(workflow.Target); errors.Is(err, fs.ErrNotExist) {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: workflow.File}, Rule: workflow.RuleChain,
			Message: "the jobs call " + workflow.Target + ", which is not there: GitHub would start no run at all", Remedy: "copy it from the workflows of metapipe"})
	}
	return problems, nil
}

func readWorkflow(root *os.Root) (raw []byte, err error) {
	f, err := root.Open(workflow.File)
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

func (s *step) writeChain(root *os.Root, raw []byte, environments []pipeline.Environment) ([]byte, error) {
	written, err := workflow.Write(raw, environments)
	if err != nil {
		return nil, &pipeline.UsageError{Message: "write the chain of jobs into " + workflow.File, Err: err, Next: "copy the workflow anew, or put the two comments around its jobs for environments"}
	}
	if string(written) == string(raw) {
		return raw, nil
	}
	// Beside it first, so that a full disk leaves the old one.
	const beside = workflow.File + ".new"
	if err := root.WriteFile(beside, written, 0o644); err != nil {
		return nil, fmt.Errorf("write %s: %w", beside, err)
	}
	if err := root.Rename(beside, workflow.File); err != nil {
		return nil, fmt.Errorf("write %s: %w", workflow.File, err)
	}
	s.app.tell("written: %s", workflow.File)
	return written, nil
}
