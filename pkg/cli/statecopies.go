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

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/store"
)

// restoreResult is what --json prints: the copies that there are, and the one that was
// restored.
type restoreResult struct {
	pipeline.Target
	Place    string         `json:"place"` // of the state
	Copies   []stateCopy    `json:"copies"`
	Restored *restoredState `json:"restored,omitempty"`

	damaged bool // what it replaced was no state
}

// restoredState is a state that is in its place again.
type restoredState struct {
	Serial  uint64 `json:"serial"`
	Lineage string `json:"lineage"`
	From    string `json:"from"`
	Misfit  string `json:"misfit,omitempty"` // why it is not the state that the last apply left
	// Replaced is where the object is kept that lay in the place of the state.
	Replaced string `json:"replaced,omitempty"`
	wayBack  string // the command that restores it
}

// stateCopy is a copy that a lost state can be restored from.
type stateCopy struct {
	Version   string    `json:"version,omitempty"` // of the bucket
	File      string    `json:"file,omitempty"`
	Changed   time.Time `json:"changed"`
	Size      int64     `json:"size"` // bytes
	Serial    uint64    `json:"serial"`
	Lineage   string    `json:"lineage"`
	Resources int       `json:"resources"`
	// Misfit says why it is not the state that the last apply left; empty where it is.
	Misfit string `json:"misfit,omitempty"`
	// Doubt says why it is not known whether it fits, where nothing speaks against it.
	Doubt string `json:"doubt,omitempty"`
	// Damaged: it is not a state, and cannot be restored.
	Damaged bool `json:"damaged,omitempty"`
}

func (c stateCopy) record() pipeline.StateRecord {
	return pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: c.Lineage, Serial: c.Serial}, Resources: c.Resources}
}

// from is where the copy comes from, for the ledger: it holds no path of a laptop.
func (c stateCopy) from() string {
	if c.File != "" {
		return "from a file"
	}
	return "from version " + c.Version
}

// fits says whether it is the state that the last apply left.
func (c stateCopy) fits() string {
	switch {
	case c.Misfit != "":
		return "no: " + c.Misfit
	case c.Doubt != "":
		return "unknown: " + c.Doubt
	}
	return "yes"
}

// count is the number of resources, for people.
func (c stateCopy) count() string {
	if c.Resources < 0 {
		return "-"
	}
	return fmt.Sprint(c.Resources)
}

// String names the copy, as a person would.
func (c stateCopy) String() string {
	if c.File != "" {
		return "file " + c.File
	}
	return "version " + c.Version
}

// restoring brings an earlier version of a state back.
type restoring struct{ *manager }

func restoringOf(m *manager) restoring { return restoring{m} }

// copies are what there is to restore from, the newest first.
func (m restoring) copies(ctx context.Context, o restoreOptions, in pipeline.TargetInput) ([]stateCopy, error) {
	if o.file != "" {
		one, err := m.fileCopy(o.file)
		return []stateCopy{one}, err
	}
	bucket, ok := m.store.(*store.S3)
	if !ok || !m.config.Manager.StateInStore(in.Target()) {
		return nil, pipeline.Usagef("the state of %s is in %s, which keeps no versions that metapipe can read",
			in.Target(), in.Backend).
			Nextf("1. find the newest copy: in your backup, in what the backend itself keeps, or in the file terraform.tfstate.backup "+
				"beside a local state (one apply older); 2. look whether it fits: `metapipe state restore %s "+
				"--file COPY`; 3. restore it: the same with --apply, and with --force where no copy fits", in.Target().Flags())
	}
	key := pipeline.StateKey(in.Target())
	versions, err := bucket.Versions(ctx, key)
	if err != nil {
		return nil, err
	}
	found := []stateCopy{}
	for _, v := range versions[:min(len(versions), shownVersions)] {
		if v.Size == 0 {
			continue
		}
		r, err := bucket.OpenVersion(ctx, key, v.ID)
		if err != nil {
			return nil, err
		}
		one, err := readCopy(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("version %s of the state of %s: %w", v.ID, in.Target(), err)
		}
		one.Version, one.Changed, one.Size = v.ID, v.Changed, v.Size
		found = append(found, one)
	}
	if len(found) == 0 {
		return nil, pipeline.Usagef("the bucket has kept no version of %s", in.Backend).
			Nextf("take the state from a backup and name it with --file, or accept that there is none with `metapipe state accept`. Turn " +
				"on versioning for the bucket, as `metapipe bootstrap state` does")
	}
	return found, nil
}

// shownVersions is how many versions are looked at, the newest first.
const shownVersions = 20

func (m restoring) fileCopy(name string) (stateCopy, error) {
	file := m.app.absolute(name)
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return stateCopy{}, pipeline.Usagef("--file %s", name).Because(err)
	}
	one, err := readCopy(f)
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err == nil && one.Damaged {
		err = errors.New(one.Misfit)
	}
	if err != nil {
		return stateCopy{}, pipeline.Usagef("--file %s is no state", name).Because(err)
	}
	one.File, one.Changed, one.Size = file, info.ModTime().UTC(), info.Size()
	return one, nil
}

// readCopy reads the counting of a copy. One that is no state is marked as such.
func readCopy(r io.Reader) (stateCopy, error) {
	read, err := statefile.Read(r)
	one := stateCopy{Serial: read.Serial, Lineage: read.Lineage, Resources: read.Resources}
	switch {
	case errors.Is(err, statefile.ErrDamaged):
		one.Damaged, one.Misfit, err = true, "it is damaged: "+statefile.Reason(err), nil
	case err == nil && read.Lineage == "":
		one.Damaged, one.Misfit = true, "it has no lineage"
	}
	return one, err
}

func (a *App) printCopies(r restoreResult, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHANGED\tSERIAL\tLINEAGE\tRESOURCES\tSIZE\tVERSION\tFITS")
	for _, c := range r.Copies {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d B\t%s\t%s\n", c.Changed.Format(time.RFC3339), c.Serial, render.TerminalLine(c.Lineage), c.count(), c.Size,
			render.TerminalLine(c.Version+c.File), render.TerminalLine(c.fits()))
	}
	return w.Flush()
}

// printRestored says what was restored, what is missing in it, and what leads back.
func (a *App) printRestored(r restoreResult, asJSON bool) error {
	if asJSON {
		return a.printJSON(r)
	}
	done := r.Restored
	fmt.Fprintf(a.Out, "the state of %s is in %s: serial %d, from %s\n", r.Target, r.Place, done.Serial, render.TerminalLine(done.From))
	if done.Misfit != "" {
		fmt.Fprintf(a.Out, "it does not fit: %s\n→ import what was built since; the next plan shows what is missing\n", render.TerminalLine(done.Misfit))
	}
	if done.Replaced == "" {
		return nil
	}
	_, err := fmt.Fprintf(a.Out, "what it replaced is kept in %s\n", render.TerminalLine(done.Replaced))
	if err == nil && !r.damaged {
		_, err = fmt.Fprintf(a.Out, "→ the way back: %s\n", render.TerminalLine(done.wayBack))
	}
	return err
}
