package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
)

// changeOptions are the flags of every command that applies a plan of writes.
type changeOptions struct {
	directories
	from, undo  string
	maxChanges  int
	apply, json bool
}

func (o *changeOptions) flags(cmd *cobra.Command) {
	o.directories.flags(cmd)
	cmd.Flags().StringVar(&o.from, "from", "", "`FILE` with a plan of writes, such as the one that takes back an earlier run")
	cmd.Flags().BoolVar(&o.apply, "apply", false, "write, instead of showing what would be written")
	cmd.Flags().IntVar(&o.maxChanges, "max-changes", 0, "how many (`N`) can be changed, where the plan is for more than 30 or a tenth of all")
	cmd.Flags().StringVar(&o.undo, "undo", "", "with --apply: `PATH` of the new file that takes back what is written (default: metapipe-undo-ID.json)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

// check refuses flags that contradict each other, before anything is asked of GitHub or the store.
func (o changeOptions) check() error {
	switch {
	case o.maxChanges < 0:
		return pipeline.Usagef("--max-changes %d is negative", o.maxChanges).Nextf("name the number of the plan")
	case o.undo != "" && !o.apply:
		return pipeline.Usagef("--undo needs --apply: without it nothing is written").Nextf("add --apply, or leave --undo out")
	}
	return nil
}

// changeFile reads the file of --from.
func (a *App) changeFile(o changeOptions, kind string) (change.File, error) {
	path, err := a.namedFile("--from", o.from, "name the file that a run with --apply has kept")
	if err != nil {
		return change.File{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return change.File{}, pipeline.Usagef("--from %s", o.from).Because(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, change.MaxFile+1))
	if err != nil {
		return change.File{}, pipeline.Usagef("--from %s", o.from).Because(err)
	}
	file, err := change.ParseFile(raw, kind)
	if err != nil {
		return change.File{}, pipeline.Usagef("--from %s is no plan of writes of this command", o.from).Because(err).
			Nextf("use the file that a run with --apply has kept")
	}
	return file, nil
}

// changeManager opens the manager: with its store and key only where something is written. check
// looks at the arguments before that.
func (a *App) changeManager(ctx context.Context, o changeOptions, check func(*manager) error) (*manager, error) {
	if o.apply {
		return a.openManagerAfter(ctx, o.directories, check)
	}
	s, err := a.newStep()
	if err != nil {
		return nil, err
	}
	s.only, s.tolerant = o.only, o.tolerant
	m, err := s.loadManager(o.managerDir)
	if err != nil {
		return nil, err
	}
	return m, check(m)
}

// play shows a plan, or applies it. command is what takes the kept file.
func (m *manager) play(ctx context.Context, o changeOptions, p change.Plan, w change.Writer, command string, notes ...string) error {
	if err := p.Check(); err != nil {
		return err
	}
	shown := p.Show()
	shown.Notes = notes
	if !o.apply || len(p.Rows) == 0 && len(p.Same) == 0 {
		return m.printChanges(o, p, shown)
	}
	if err := p.Guard(o.maxChanges); err != nil {
		return err
	}
	rows, undo, err := m.applyPlan(ctx, o, p, w, record.Records{Store: m.store, Sealer: m.sealer})
	if rows == nil {
		return err
	}
	shown = change.Report{Plan: p.ID, Applied: true, Rows: rows, Limit: p.Limit(), Undo: undo, Notes: notes}
	err = errors.Join(m.printChanges(o, p, shown), err)
	m.logUndo(command, undo)
	return errors.Join(err, shown.Err())
}

// applyPlan applies a plan, and keeps the file that takes back what was written; without one, undo is empty.
// Without rows nothing was tried.
func (m *manager) applyPlan(ctx context.Context, o changeOptions, p change.Plan, w change.Writer, records record.Records) (rows []change.Result, undo string, err error) {
	file, err := m.app.newUndoFile(o.undo, p)
	if err != nil {
		return nil, "", err
	}
	a := &change.Applier{Writer: w, Now: m.app.Now, Sleep: m.app.Sleep, Actor: m.operator(), Run: m.run(), Host: hostname(), Keep: file.keep,
		Ledger: ledger.Ledger{Records: records, Now: m.app.Now}}
	rows = append([]change.Result{}, a.Apply(ctx, p)...)
	kept, err := file.end()
	if kept {
		undo = file.path
	}
	return rows, undo, err
}

// logUndo says how to take back what was written.
func (m *manager) logUndo(command, undo string) {
	if undo != "" {
		m.app.logf("to take it back: %s --from %s --apply", command, shellWord(undo))
	}
}

func (m *manager) printChanges(o changeOptions, p change.Plan, shown change.Report) error {
	if o.json {
		return m.app.printJSON(shown)
	}
	_, err := fmt.Fprint(m.app.Out, render.Changes(shown))
	if !shown.Applied && len(p.Rows) > 0 {
		next := "--apply writes it"
		if p.Places() > max(p.Limit(), o.maxChanges) {
			next += fmt.Sprintf(", with --max-changes %d", p.Places())
		}
		m.app.logf("nothing is written: %s", next)
	}
	return err
}

// undoFile is the file that takes back what a run writes.
type undoFile struct {
	path string
	plan change.Plan
	rows int
}

// newUndoFile makes the file while nothing is written yet, so that a place that cannot be written to
// stops the run. It never replaces a file.
func (a *App) newUndoFile(name string, p change.Plan) (*undoFile, error) {
	if name == "" {
		name = "metapipe-undo-" + pipeline.RequestID(p.ID).Short() + ".json"
	}
	u := &undoFile{path: a.absolute(name), plan: p}
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = f.Close()
	}
	if errors.Is(err, fs.ErrExist) {
		return nil, pipeline.Usagef("%s exists already", u.path).Nextf("name another file with --undo: it is the way back of another run")
	}
	if err != nil {
		return nil, pipeline.Usagef("make the file that takes back what is written").Because(err).Nextf("name one in a directory that this user may write with --undo")
	}
	return u, nil
}

// keep replaces the file as a whole, so that it is good at any time.
func (u *undoFile) keep(rows []change.Row) error {
	text, err := change.Undo(u.plan, rows).Encode()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(u.path), ".metapipe-undo-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), u.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	u.rows = len(rows)
	return nil
}

// end removes the file where nothing is to be taken back, and reports whether it is there.
func (u *undoFile) end() (kept bool, err error) {
	if u.rows > 0 {
		return true, nil
	}
	return false, os.Remove(u.path)
}
