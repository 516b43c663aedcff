package rehearsal

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/tempdir"
)

// Run plays the whole story and keeps what every party would see. The error is
// a *pipeline.UsageError for what the caller can correct before anything runs, a
// *pipeline.FailedError when something did not go as a rehearsal expects, and
// that of ctx when it was stopped; the Result holds what there is in each case.
func Run(ctx context.Context, o Options) (result Result, err error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	work, remove, err := tempdir.New("")
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	server := hub.New(hub.Options{Now: o.Now})
	if err := server.Start(); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	s := &rehearsal{opts: o, masks: runner.NewMasks(nil), input: newInput(o.In), narrator: &narrator{now: o.Now, show: &terminal{w: o.Terminal, color: o.Color, width: o.Width}}}
	started := o.Now()
	if s.setup, err = newSetup(ctx, o, server, work, s.narrator); err != nil {
		return Result{}, err
	}
	if o.Tool != nil {
		for _, stack := range s.setup.who.StackNames() {
			_, tool, err := s.setup.who.Module(stack)
			if err == nil {
				err = o.Tool(ctx, tool)
			}
			if err != nil {
				return Result{}, err
			}
		}
	}
	if s.folder, err = newFolder(o.Out, started); err != nil {
		return Result{}, err
	}
	s.masks.Add(s.setup.key)
	s.watcher = newWatcher(s.setup.customer)
	s.introduce()
	played := s.play(ctx)
	if played != nil {
		s.breakOff(ctx, played)
	}
	result, err = s.archive(started, played)
	return result, errors.Join(err, s.verdict(ctx, result, played))
}

// introduce says who plays, and what is proposed against what.
func (s *rehearsal) introduce() {
	s.narrator.note("Manager %s, customer %s (%s), %s.", s.setup.manager.Slug(), s.setup.customer.Slug(), s.setup.who.Name, s.setup.change.from)
}

// verdict turns what did not go as expected into an error.
func (s *rehearsal) verdict(ctx context.Context, r Result, played error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the rehearsal was stopped; what there is stands in %s: %w", r.Out, ctx.Err())
	case played != nil:
		return fmt.Errorf("play the rehearsal: %w", played)
	case s.narrator.show.err != nil:
		return fmt.Errorf("write to the terminal: %w", s.narrator.show.err)
	case r.OK():
		return nil
	}
	failed := &pipeline.FailedError{Message: "the rehearsal failed", Next: "open " + s.folder.path(PageFile) + ": it shows each step and its answer"}
	for _, step := range r.Steps {
		if !step.OK {
			failed.Message += fmt.Sprintf("; %s: expected %s, got %s", step.Name, step.Expected, step.Got)
		}
	}
	s.mu.Lock()
	if s.firstFailed != "" {
		failed.Message += "; the first step that failed: " + s.firstFailed
	}
	s.mu.Unlock()
	for _, p := range r.Pending {
		failed.Message += "; the status never ended: " + p
	}
	return failed
}
