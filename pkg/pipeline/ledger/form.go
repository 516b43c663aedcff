package ledger

import (
	"errors"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func parseEntry(b []byte) (Entry, error) {
	var e Entry
	err := pipeline.DecodeKnown(b, &e)
	if err != nil && !errors.Is(err, pipeline.ErrTrailingData) {
		return Entry{}, fmt.Errorf("ledger entry: %w", err)
	}
	if err != nil || e.Version != 1 || e.Sequence < 1 {
		return Entry{}, errors.New("ledger entry: not in the form of this metapipe")
	}
	return e, e.check()
}

// plain is the entry with one short line for each text, and without credentials in it:
// entries are read by more people than what they are about, and nothing removes them.
func (e Entry) plain() Entry {
	e.Message, e.Actor, e.Host = pipeline.PlainLine(pipeline.WithoutCredentials(e.Message)), pipeline.PlainLine(e.Actor), pipeline.PlainLine(e.Host)
	e.Property = pipeline.PlainLine(e.Property)
	return e
}

// check holds an entry to the form that Append gives it: whatever else stands in
// a store is no entry.
func (e Entry) check() error {
	known := []Event{Requested, Planned, Approved, Applying, Applied, Refused, Failed,
		Superseded, Closed, Unreported, Unlocking, Unlocked, Recovered, Rejected, Restoring, Restored, Accepted, Destroyed, Renamed, Rekeyed, Changing, Changed, Unchanged, Disabled}
	if !slices.Contains(known, e.Event) {
		return fmt.Errorf("ledger entry: event %q is not known to this metapipe", pipeline.PlainLine(string(e.Event)))
	}
	if e.Request != "" && !pipeline.IsUUID(string(e.Request)) || !isCommit(e.Commit) ||
		e.Receipt != "" && !pipeline.IsDigest(e.Receipt) {
		return errors.New("ledger entry: request, commit or receipt is none")
	}
	if !e.Plan.isKnown() || e.Attempt < 0 || e.Sequence > 0 && e.Attempt >= e.Sequence {
		return errors.New("ledger entry: what it says of the plan is nothing that can be")
	}
	for _, text := range []string{e.Actor, e.Message, e.Host, e.Property, string(e.Outcome), string(e.Reason)} {
		if pipeline.PlainLine(text) != text {
			return errors.New("ledger entry: a text is not one short line")
		}
	}
	if !isState(e.State) {
		return errors.New("ledger entry: its state is none")
	}
	if !isRunURL(e.Run.URL) {
		return errors.New("ledger entry: the address of the run is none")
	}
	if err := e.checkChange(); err != nil {
		return err
	}
	if e.isUnsigned() && (!e.Fold.isZero() || e.Plan != "" || e.Attempt != 0 || e.Outcome != "" || e.Reason != "" || e.State != nil) {
		return errors.New("ledger entry: it carries no seal, and says how a target stands")
	}
	return e.Fold.check()
}
