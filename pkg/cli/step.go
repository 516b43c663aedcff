package cli

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/tempdir"
)

// step is what every command begins with: the runner it runs in and the places it
// works on.
type step struct {
	app     *App
	context actions.Context
	runner  *actions.Runner
	github  *githubClients
	// only names the customer that the command works for; empty: all of them.
	only string
	// tolerant: see directories.
	tolerant bool
	// toolEnviron is what the tool sees of the environment, where a target has
	// credentials of its own; nil: that of this process.
	toolEnviron []string
}

// newStep reads the runner's environment and masks every secret in it before
// anything else can print.
func (a *App) newStep() (*step, error) {
	if a.step != nil {
		return a.step, nil
	}
	// Before anything that can fail: also an error may quote someone.
	a.guard(a.getenv("GITHUB_ACTIONS") == "true")
	c, err := actions.ReadContext(a.lookup)
	if err != nil {
		return nil, err
	}
	s := &step{app: a, context: c, runner: actions.NewRunner(actions.Options{Context: c, Lookup: a.lookup, Commands: a.commands, Sleep: a.Sleep})}
	s.github = &githubClients{app: a, context: c, mask: masksOf(s).add}
	if err := masksOf(s).environ(); err != nil {
		return nil, err
	}
	a.step = s
	return s, nil
}

// summarize adds to the job summary. One that is full is no failure: the log says so.
func (s *step) summarize(markdown string) error {
	err := s.runner.AppendSummary(markdown)
	if errors.Is(err, actions.ErrSummaryFull) {
		s.app.logf("%v", err)
		return nil
	}
	return err
}

// outputs sets several outputs; empty values are set too, so that a workflow can
// rely on each name.
func (s *step) outputs(pairs ...string) error {
	var errs []error
	for i := 0; i+1 < len(pairs); i += 2 {
		errs = append(errs, s.runner.SetOutput(pairs[i], pairs[i+1]))
	}
	return errors.Join(errs...)
}

// run is the workflow run of this step.
func (s *step) run() pipeline.Run { return s.context.Run() }

// workDir makes the run directory of one target; remove deletes it, since it
// holds plans and state in clear.
func (s *step) workDir(p directories, parts ...string) (dir string, remove func(), err error) {
	if p.runDir != "" {
		dir = filepath.Join(append([]string{s.app.absolute(p.runDir)}, parts...)...)
		if err = os.MkdirAll(dir, 0o700); err == nil {
			dir, err = os.MkdirTemp(dir, "run-") // two runs of one target must not share it
		}
		remove = func() {}
	} else {
		var clean func() error
		dir, clean, err = tempdir.New(s.context.RunnerTemp)
		remove = func() {
			if err := clean(); err != nil {
				s.app.logf("could not remove the run directory %s, which holds secrets: %v", dir, err)
			}
		}
	}
	if err != nil {
		return "", nil, pipeline.Usagef("make the run directory").Because(err).
			Nextf("free some space, or name a directory that this user may write with --work-dir")
	}
	return dir, remove, nil
}

// annotate shows an error where the runner shows annotations.
func (a *App) annotate(err error) {
	s, stepErr := a.newStep()
	if stepErr != nil || !s.context.InActions {
		return
	}
	problems := pipeline.Problems{{Rule: "metapipe", Message: err.Error()}}
	var rejected *pipeline.RejectedError
	if errors.As(err, &rejected) && len(rejected.Problems) > 0 {
		problems = rejected.Problems
	}
	if err := s.runner.Annotate(problems); err != nil {
		a.logf("could not annotate: %v", err)
	}
}
