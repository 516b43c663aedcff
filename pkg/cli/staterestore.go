package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/text"
)

type restoreOptions struct {
	targetOptions
	version, file      string
	apply, force, json bool
}

func newStateRestoreCmd(app *App) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Restore a lost state from an earlier version of it",
		Long: `restore lists the versions that the bucket has kept of the state of one target, with
serial, lineage and time, and says which one fits the last apply. FITS is unknown where
that cannot be said, such as for an encrypted copy. With --apply it
restores that one, or the one that --version names: Terraform pushes it and takes the
lock. Without --apply it changes nothing.

It refuses (exit code 4) while the state is locked, where there is a state, and where the
copy is not, or not known to be, the state that the last apply left. It always refuses a
state of another target. --force restores a copy that does not fit or may not:
use it when no copy fits, such as for terraform.tfstate.backup, which is one apply older.
What was built since is not in it, and must be imported. With --force, a copy that
--version or --file names replaces the state that is there. What is replaced, also a
damaged state, is kept in the store, and the output names the way back. The tool must read
the copy before anything changes; where the restore fails, what was there stays there.

The bucket needs versioning. For a directory, or another backend, take the state from your
backup or from what the backend has kept, and name it with --file.

Environment: METAPIPE_KEY. AWS: s3:ListBucketVersions and s3:GetObjectVersion.`,
		Example: "  metapipe state restore --customer example-customer --environment staging --apply",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.stateRestore(cmd.Context(), o) },
	}
	o.flags(cmd)
	o.runFlag(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
	o.stackFlag(cmd)
	cmd.Flags().StringVar(&o.version, "version", "", "version `ID` of the bucket (default: the newest that fits the last apply)")
	cmd.Flags().StringVar(&o.file, "file", "", "state `FILE` from a backup, instead of a version of the bucket")
	cmd.Flags().BoolVar(&o.apply, "apply", false, "restore it, instead of showing what there is")
	cmd.Flags().BoolVar(&o.force, "force", false, "with --apply: restore a copy that is not, or not known to be, the state that the last apply left")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) stateRestore(ctx context.Context, o restoreOptions) error {
	if o.file != "" && o.version != "" {
		return pipeline.Usagef("--file and --version exclude each other").Nextf("name one of the two")
	}
	if o.file != "" {
		if _, err := a.namedFile("--file", o.file, "name a copy of the state, from a backup or from what the backend has kept"); err != nil {
			return err
		}
	}
	m, state, in, err := a.lostTarget(ctx, o.targetOptions)
	if err != nil {
		return err
	}
	engine, err := capable[pipeline.StatePusher](m, in.Customer, in.Stack, pipeline.CapabilityRecovery)
	if err != nil {
		return err
	}
	restorer := &recovery.Restorer{Store: m.store, Sealer: m.sealer, Engine: engine, States: m.store, Now: a.Now, WayBack: restoringOf(m).wayBack, ReadState: statesOf(m).reader()}
	found, err := restoringOf(m).copies(ctx, o, in)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Misfit != "" {
			continue
		}
		fit, err := restorer.Compare(ctx, in, found[i].record())
		if err != nil {
			return err
		}
		found[i].Doubt = fit.Doubt
		if fit.Misfit != nil {
			found[i].Misfit = fit.Misfit.Why
		}
	}
	replace := state.damaged() || o.force && (o.file != "" || o.version != "")
	result := restoreResult{Target: in.Target(), Place: state.Place, Copies: found, damaged: state.damaged()}
	switch {
	case state.Exists && !replace:
		return errors.Join(a.printCopies(result, o.json), stateExists(state, o))
	case !o.apply:
		return a.printCopies(result, o.json)
	}
	chosen, err := choose(found, o, in)
	if err != nil {
		return err
	}
	from := recovery.StateCopy{State: chosen.record(), Name: chosen.String(), From: chosen.from(), Force: o.force, Replace: state.Exists}
	if from.Replace && !m.config.Manager.StateInStore(in.Target()) {
		return &pipeline.RefusedError{
			Reason:  pipeline.ReasonStaleState,
			Message: fmt.Sprintf("%s holds something in the place of the state of %s, and metapipe cannot keep that aside there", state.Place, in.Target()),
			Next:    "move it away with the means of that backend, and run this again",
		}
	}
	result.Restored, err = restoringOf(m).restore(ctx, restorer, o, in, chosen, from)
	if err != nil {
		return err
	}
	return a.printRestored(result, o.json)
}

func stateExists(s targetState, o restoreOptions) error {
	next := "where it is the right one, accept it with `metapipe state accept`; where it is not, name the copy with --version or --file, and replace it with --force: it is kept aside"
	if o.file != "" || o.version != "" {
		next = "replace it with --force: it is kept aside"
	}
	return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("%s has a state: %s holds serial %d of lineage %s", s.Target, s.Place, s.Serial, s.Lineage),
		Next: next}
}

// choose is the state that is to be restored.
func choose(found []stateCopy, o restoreOptions, in pipeline.TargetInput) (stateCopy, error) {
	byFit := slices.Clone(found) // one that is known to fit comes before newer ones that may
	slices.SortStableFunc(byFit, func(a, b stateCopy) int { return cmp.Compare(min(len(a.Doubt), 1), min(len(b.Doubt), 1)) })
	for _, f := range byFit {
		if f.File != "" || o.version != "" && f.Version == o.version || o.version == "" && f.Misfit == "" {
			if f.Damaged {
				return f, pipeline.Usagef("%s cannot be restored: %s", f.String(), f.Misfit).
					Nextf("choose another one; leave --version and --apply out to see which there are")
			}
			return f, nil
		}
	}
	if o.version != "" {
		return stateCopy{}, pipeline.Usagef("the bucket has no version %s of the state of %s",
			o.version, in.Target()).
			Nextf("leave --version and --apply out to see which there are")
	}
	return stateCopy{}, &pipeline.RefusedError{
		Reason:  pipeline.ReasonStateLost,
		Message: fmt.Sprintf("no version of the state of %s is the one that the last apply left", in.Target()),
		Next:    "leave --apply out to see them; --version with --force restores another one: what was built since is missing in it, and must be imported",
	}
}

// restore pushes the chosen copy out of a private file.
func (m restoring) restore(ctx context.Context, restorer *recovery.Restorer, o restoreOptions, in pipeline.TargetInput, chosen stateCopy, from recovery.StateCopy) (*restoredState, error) {
	dir, remove, err := m.workDir(o.directories, string(in.Customer.Name), in.Target().Part())
	if err != nil {
		return nil, err
	}
	defer remove()
	in.RunDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the run directory: %w", err)
	}
	from.File = filepath.Join(dir, "restored.tfstate")
	open := func() (io.ReadCloser, error) {
		return m.store.(*store.S3).OpenVersion(ctx, pipeline.StateKey(in.Target()), chosen.Version)
	}
	if chosen.File != "" {
		open = func() (io.ReadCloser, error) { return os.Open(filepath.Clean(chosen.File)) }
	}
	if err := copyPrivate(open, from.File); err != nil {
		return nil, err
	}
	done, err := restorer.Restore(ctx, in, from)
	if err = errors.Join(err, os.Remove(from.File)); err != nil {
		return nil, err
	}
	restored := restoredState{Serial: done.State.Serial, Lineage: done.State.Lineage, From: from.Name}
	if done.Misfit != nil {
		restored.Misfit = done.Misfit.Why
	}
	if done.Replaced != "" {
		restored.Replaced, restored.wayBack = statesOf(m.manager).placeOf(done.Replaced), m.wayBack(in, done.Replaced)
	}
	return &restored, nil
}

// wayBack is the command that restores an object of the store as the state of a target.
func (m restoring) wayBack(in pipeline.TargetInput, key string) string {
	file, fetch := statesOf(m.manager).placeOf(key), ""
	if m.directory == "" {
		copied := "replaced.tfstate"
		file, fetch = copied, "aws s3 cp "+shellWord(file)+" "+copied+" && "
	}
	return fmt.Sprintf("%smetapipe state restore %s --file %s --force --apply", fetch, in.Target().Flags(), shellWord(file))
}

// plainWord is what a shell takes as one word without quotes.
var plainWord = text.Pattern(`^[0-9A-Za-z_./:@%+,-]+$`)

// shellWord writes an argument so that a shell takes it as one word.
func shellWord(s string) string {
	if plainWord().MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// copyPrivate writes what open gives to a new file that only we can read.
func copyPrivate(open func() (io.ReadCloser, error), file string) error {
	in, err := open()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Clean(file), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), in.Close())
}
