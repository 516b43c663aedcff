package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/report"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/terraform/statefile"
)

type restoreOptions struct {
	targetOptions
	version, file string
	apply, json   bool
}

func newStateRestoreCmd(app *App) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Restore a lost state from an earlier version of it",
		Long: `restore lists the versions that the bucket has kept of the state of one target, with
serial, lineage and time, and says which one fits the last apply. With --apply it
restores that one, or the one that --version names: Terraform pushes it and takes the
lock. Without --apply it changes nothing.

It refuses (exit code 4) while the state is locked, and where there is a state: move
that away first, or accept it (state accept). The bucket needs versioning. For a
directory, or another backend, take the state from your backup or from what the backend
has kept, and name it with --file.

Environment: METAPIPE_KEY. AWS: s3:ListBucketVersions and s3:GetObjectVersion.`,
		Example: "  metapipe state restore --customer example-customer --environment staging --apply",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.stateRestore(cmd.Context(), o) },
	}
	o.flags(cmd)
	o.runFlag(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
	cmd.Flags().StringVar(&o.version, "version", "", "version `ID` of the bucket (default: the newest that fits the last apply)")
	cmd.Flags().StringVar(&o.file, "file", "", "state `FILE` from a backup, instead of a version of the bucket")
	cmd.Flags().BoolVar(&o.apply, "apply", false, "restore it, instead of showing what there is")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// candidate is a state that a lost one can be restored from.
type candidate struct {
	Version   string    `json:"version,omitempty"` // of the bucket
	File      string    `json:"file,omitempty"`
	Changed   time.Time `json:"changed"`
	Size      int64     `json:"size"` // bytes
	Serial    uint64    `json:"serial"`
	Lineage   string    `json:"lineage"`
	Resources int       `json:"resources"`
	// Misfit says why it is not the state that the last apply left; empty where it is.
	Misfit string `json:"misfit,omitempty"`
}

func (a *App) stateRestore(ctx context.Context, o restoreOptions) error {
	if o.file != "" && o.version != "" {
		return &pipeline.UsageError{Message: "--file and --version exclude each other", Next: "name one of the two"}
	}
	m, state, in, err := a.lostTarget(ctx, o.targetOptions)
	if err != nil {
		return err
	}
	restorer := &recovery.Restorer{Store: m.store, Sealer: m.sealer, Engine: m.engine(), Now: a.Now}
	found, err := m.candidates(ctx, o, in)
	if err != nil {
		return err
	}
	for i := range found {
		f := &found[i]
		misfit, err := restorer.Remember(ctx, in, pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: f.Lineage, Serial: f.Serial}, Resources: f.Resources})
		if err != nil {
			return err
		}
		if misfit != nil {
			f.Misfit = misfit.Why
		}
	}
	if !o.apply || state.Exists {
		if err := a.printCandidates(found, o.json); err != nil || !state.Exists {
			return err
		}
		return stateExists(state)
	}
	chosen, err := choose(found, o, in)
	if err != nil {
		return err
	}
	return m.restoreState(ctx, restorer, o, in, chosen)
}

func stateExists(s targetState) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("%s/%s has a state: %s holds serial %d of lineage %s", s.Customer, s.Environment, s.Place, s.Serial, s.Lineage),
		Next: "where it is the right one, accept it with `metapipe state accept`; where it is not, move it away, and restore then"}
}

// candidates are the states that there are to restore from, the newest first.
func (m *manager) candidates(ctx context.Context, o restoreOptions, in pipeline.TargetInput) ([]candidate, error) {
	if o.file != "" {
		one, err := m.fileCandidate(o.file)
		return []candidate{one}, err
	}
	bucket, ok := m.store.(*store.S3)
	if !ok || m.config.Manager.State.Backend.Type != "" {
		return nil, &pipeline.UsageError{Message: fmt.Sprintf("the state of %s/%s is in %s, which keeps no versions that metapipe can read", in.Customer.Name, in.Environment, in.Backend),
			Next: fmt.Sprintf("1. find the newest copy: in your backup, in what the backend itself keeps, or in the file terraform.tfstate.backup beside a local state (one apply older); 2. look whether it fits: `metapipe state restore --customer %s --environment %s --file COPY`; 3. restore it: the same with --apply", in.Customer.Name, in.Environment)}
	}
	key := pipeline.StateKey(in.Customer.Name, in.Environment)
	versions, err := bucket.Versions(ctx, key)
	if err != nil {
		return nil, err
	}
	found := []candidate{}
	for _, v := range versions[:min(len(versions), shownVersions)] {
		if v.Size == 0 {
			continue
		}
		r, err := bucket.OpenVersion(ctx, key, v.ID)
		if err != nil {
			return nil, err
		}
		stored, err := statefile.Read(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("version %s of the state of %s/%s: %w", v.ID, in.Customer.Name, in.Environment, err)
		}
		found = append(found, candidate{Version: v.ID, Changed: v.Changed, Size: v.Size, Serial: stored.Serial, Lineage: stored.Lineage, Resources: stored.Resources})
	}
	if len(found) == 0 {
		return nil, &pipeline.UsageError{Message: fmt.Sprintf("the bucket has kept no version of %s", in.Backend), Next: "take the state from a backup and name it with --file, or accept that there is none with `metapipe state accept`; turn versioning on for the bucket, as `metapipe bootstrap state` does"}
	}
	return found, nil
}

// shownVersions is how many versions are looked at, the newest first.
const shownVersions = 20

func (m *manager) fileCandidate(name string) (candidate, error) {
	file := m.app.absolute(name)
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return candidate{}, &pipeline.UsageError{Message: "--file " + name, Err: err}
	}
	stored, err := statefile.Read(f)
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err == nil && stored.Lineage == "" {
		err = errors.New("it has no lineage")
	}
	if err != nil {
		return candidate{}, &pipeline.UsageError{Message: "--file " + name + " is no state", Err: err}
	}
	return candidate{File: file, Changed: info.ModTime().UTC(), Size: info.Size(), Serial: stored.Serial, Lineage: stored.Lineage, Resources: stored.Resources}, nil
}

// choose is the state that is to be restored.
func choose(found []candidate, o restoreOptions, in pipeline.TargetInput) (candidate, error) {
	for _, f := range found {
		if f.File != "" || o.version != "" && f.Version == o.version || o.version == "" && f.Misfit == "" {
			return f, nil
		}
	}
	if o.version != "" {
		return candidate{}, &pipeline.UsageError{Message: fmt.Sprintf("the bucket has no version %s of the state of %s/%s", o.version, in.Customer.Name, in.Environment), Next: "leave --version and --apply out to see which there are"}
	}
	return candidate{}, &pipeline.RefusedError{Reason: pipeline.ReasonStateLost, Message: fmt.Sprintf("no version of the state of %s/%s is the one that the last apply left", in.Customer.Name, in.Environment),
		Next: "leave --apply out to see them; --version restores an older one: what was built since is missing in it, and must be imported"}
}

func (a *App) printCandidates(found []candidate, asJSON bool) error {
	if asJSON {
		return a.printJSON(found)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHANGED\tSERIAL\tLINEAGE\tRESOURCES\tSIZE\tVERSION\tFITS")
	for _, f := range found {
		fits := "yes"
		if f.Misfit != "" {
			fits = "no: " + report.TerminalLine(f.Misfit)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d B\t%s\t%s\n", f.Changed.Format(time.RFC3339), f.Serial, report.TerminalLine(f.Lineage), f.Resources, f.Size, report.TerminalLine(f.Version+f.File), fits)
	}
	return w.Flush()
}

// restoreState pushes the chosen state out of a private file.
func (m *manager) restoreState(ctx context.Context, restorer *recovery.Restorer, o restoreOptions, in pipeline.TargetInput, chosen candidate) error {
	dir, remove, err := m.workDir(o.directories, string(in.Customer.Name), string(in.Environment))
	if err != nil {
		return err
	}
	defer remove()
	in.RunDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the run directory: %w", err)
	}
	file, what := filepath.Join(dir, "restored.tfstate"), "from version "+chosen.Version
	open := func() (io.ReadCloser, error) {
		return m.store.(*store.S3).OpenVersion(ctx, pipeline.StateKey(in.Customer.Name, in.Environment), chosen.Version)
	}
	if chosen.File != "" {
		what = "from a file"
		open = func() (io.ReadCloser, error) { return os.Open(filepath.Clean(chosen.File)) }
	}
	if err := copyPrivate(open, file); err != nil {
		return err
	}
	state, err := restorer.Restore(ctx, in, file, chosen.Resources, what)
	if err = errors.Join(err, os.Remove(file)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(m.app.Out, "the state of %s/%s is in %s: serial %d, %s\n", in.Customer.Name, in.Environment, in.Backend, state.Serial, what)
	return err
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
