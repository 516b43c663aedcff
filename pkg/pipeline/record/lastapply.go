package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// LastApply is the record of the newest apply of a target that went well. It lies
// where it is found without going through the history of the target, and with the
// variables beside it, since it outlasts the plan.
type LastApply struct {
	Receipt   pipeline.Receipt `json:"receipt"`
	Variables string           `json:"variables"` // key of the sealed variables.yml
	// Path is the directory of variables.yml in the customer's repository; empty in
	// records of earlier versions.
	Path string `json:"path,omitempty"`
	// FailedPaths are the other such directories that applies have begun to work from since, and
	// did not end well: each may have left something.
	FailedPaths []string     `json:"failed_paths,omitempty"`
	Actor       string       `json:"actor,omitempty"`
	Run         pipeline.Run `json:"run"`
	At          time.Time    `json:"at"`
	// State is what the apply left in the backend, or what was accepted since; nil in
	// records of earlier versions.
	State *pipeline.StateRecord `json:"state,omitempty"`
	// Accepted says who set State by hand; nil where the apply did.
	Accepted *Acceptance `json:"accepted,omitempty"`
}

// Acceptance is the decision of an operator to go on with a state as it is.
type Acceptance struct {
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// LastApplyTimes is the time at the beginning of the names of the records.
const LastApplyTimes = "20060102T150405.000000000Z"

// LastApplyRecord is to whom a record of the last apply belongs.
func LastApplyRecord(t pipeline.Target) PlanAttempt {
	return PlanAttempt{Target: t}
}

// LastApplyPrefix holds the records of the last apply of a target; the newest counts.
func LastApplyPrefix(t pipeline.Target) string {
	return fmt.Sprintf("%s/applied/", t.Folder())
}

// LastApplyBase is the name of a record and of its variables, without the ending: they
// come in the order of their times.
func LastApplyBase(t pipeline.Target, at time.Time, id pipeline.RequestID) string {
	return LastApplyPrefix(t) + at.UTC().Format(LastApplyTimes) + "-" + string(id)
}

// NextLastApplyBase is LastApplyBase, and behind every record that the target has: clocks
// of runners differ, and the last key counts.
func NextLastApplyBase(ctx context.Context, s pipeline.Store, t pipeline.Target, at time.Time, id pipeline.RequestID) (string, error) {
	keys, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return "", fmt.Errorf("look for the last apply of %s: %w", t, err)
	}
	return lastApplyBaseAfter(keys, t, at, id), nil
}

func lastApplyBaseAfter(keys []string, t pipeline.Target, at time.Time, id pipeline.RequestID) string {
	for _, key := range keys {
		// Variables without a record are of a write that was stopped: their key is taken.
		if newest, ok := LastAppliedAt(strings.TrimSuffix(strings.TrimSuffix(key, ".json"), ".variables") + ".json"); ok && !at.After(newest) {
			at = newest.Add(time.Nanosecond)
		}
	}
	return LastApplyBase(t, at, id)
}

// Seal writes a record and its variables anew under base. The variables come first: a
// record without them never stands.
func (l LastApply) Seal(ctx context.Context, s Records, base string, variables []byte) error {
	l.Variables = base + ".variables"
	if err := SealInto(ctx, s, s.Sealer, l.Variables, pipeline.BindTo(l.Receipt, ObjectVariables), bytes.NewReader(variables)); err != nil {
		return err
	}
	return s.CreateRecord(ctx, LastApplyRecord(l.Receipt.Target()), base+".json", l)
}

// NoteLastApply writes the record, with the variables of the plan beside it, and removes
// the older ones. The new one comes first, so that there is one at any time.
func NoteLastApply(ctx context.Context, s Records, request pipeline.Request, receipt pipeline.Receipt, variables []byte, ended Result, left *pipeline.StateRecord) error {
	older, err := s.List(ctx, LastApplyPrefix(receipt.Target()))
	if err != nil {
		return err
	}
	base := lastApplyBaseAfter(older, receipt.Target(), ended.At, request.ID)
	err = SealInto(ctx, s, s.Sealer, base+".variables", pipeline.BindTo(receipt, ObjectVariables), bytes.NewReader(variables))
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return err
	}
	key := base + ".json" // comes before its variables
	stored := LastApply{Receipt: receipt, Variables: base + ".variables", Path: path.Dir(request.File), Actor: request.Actor, Run: ended.Run, At: ended.At, State: left}
	if err := s.CreateRecord(ctx, LastApplyRecord(receipt.Target()), key, stored); err != nil && !errors.Is(err, pipeline.ErrExists) {
		return err
	}
	for _, k := range older {
		if k < key {
			err = errors.Join(err, s.Delete(ctx, k))
		}
	}
	return err
}

// LoadLastApply returns the record, and false where metapipe applied nothing yet.
func LoadLastApply(ctx context.Context, s Records, t pipeline.Target) (LastApply, bool, error) {
	fail := func(err error) (LastApply, bool, error) {
		return LastApply{}, false, fmt.Errorf("look for the last apply of %s: %w", t, err)
	}
	keys, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return fail(err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasSuffix(key, ".json") })
	if len(keys) == 0 {
		return LastApply{}, false, nil
	}
	var stored LastApply
	key := keys[len(keys)-1]
	if err = s.ReadRecord(ctx, LastApplyRecord(t), key, &stored); err != nil {
		return fail(err)
	}
	if stored.Receipt.Target() != t || !strings.HasPrefix(stored.Variables, LastApplyPrefix(t)) {
		return fail(fmt.Errorf("%w: the record is of %s", pipeline.ErrTampered, stored.Receipt.Target()))
	}
	return stored, true, nil
}

// OpenVariables opens the variables.yml that was applied.
func (l LastApply) OpenVariables(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer) ([]byte, error) {
	return UnsealBytes(ctx, s, sealer, l.Variables, pipeline.BindTo(l.Receipt, ObjectVariables))
}

// From is where the record says that the target was built from.
func (l LastApply) From() pipeline.Evidence {
	return pipeline.Evidence{RepositoryID: l.Receipt.RepositoryID, Path: l.Path, FailedPaths: l.FailedPaths}
}

// ForDrift is what a drift scan reports of the last apply.
func (l LastApply) ForDrift() *DriftLastApply {
	r := l.Receipt
	return &DriftLastApply{Request: r.Request, Commit: r.Commit, Blob: r.Blob, ManagerCommit: r.ManagerCommit, Actor: l.Actor, RunURL: l.Run.URL, At: l.At}
}

// DriftLastApply is the last apply of a target that went well.
type DriftLastApply struct {
	Request       pipeline.RequestID `json:"request"`
	Commit        pipeline.SHA       `json:"commit"`
	Blob          pipeline.SHA       `json:"blob"`
	ManagerCommit pipeline.SHA       `json:"manager_commit"`
	Actor         string             `json:"actor,omitempty"`
	RunURL        string             `json:"run_url,omitempty"`
	At            time.Time          `json:"at"`
}

// Destroyed reports whether the last apply was a destroy that left nothing, and no state
// was put in its place since. Resources of an encrypted state cannot be counted: the
// destroy went well, so that there are none.
func (l LastApply) Destroyed() bool {
	return l.Receipt.Mode == pipeline.ModeDestroy && l.Accepted == nil && l.State.LeftNothing()
}

// Opened is a record of the last apply with its variables.
type Opened struct {
	Record    LastApply
	Variables []byte
	Found     bool
}

// OpenLastApply returns the record of the last apply with its variables. Found is false
// where there was none; variables that are gone are ErrTampered.
func OpenLastApply(ctx context.Context, s Records, t pipeline.Target) (Opened, error) {
	stored, found, err := LoadLastApply(ctx, s, t)
	if err != nil || !found {
		return Opened{}, err
	}
	variables, err := stored.OpenVariables(ctx, s, s.Sealer)
	if errors.Is(err, pipeline.ErrNotFound) {
		err = fmt.Errorf("%s: %w: the variables of the last apply are gone", stored.Variables, pipeline.ErrTampered)
	}
	return Opened{stored, variables, true}, err
}

// NoteState writes the record of the last apply again with another state. Without a
// record that can be read there is none to write: then the ledger alone remembers, and
// what cannot be believed goes.
func NoteState(ctx context.Context, s Records, t pipeline.Target, state pipeline.StateRecord, by Acceptance) error {
	older, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return err
	}
	stored, found, err := LoadLastApply(ctx, s, t)
	if err != nil && !errors.Is(err, pipeline.ErrTampered) && !errors.Is(err, pipeline.ErrUnknownKey) {
		return err
	}
	if err != nil {
		return deleteAll(ctx, s, older)
	}
	key := ""
	if found {
		key = lastApplyBaseAfter(older, t, by.At, stored.Receipt.Request) + ".json"
		stored.State, stored.Accepted = &state, &by
		if err := s.CreateRecord(ctx, LastApplyRecord(t), key, stored); err != nil {
			return err
		}
	}
	for _, old := range older {
		if old != key && strings.HasSuffix(old, ".json") {
			if err := s.Delete(ctx, old); err != nil {
				return err
			}
		}
	}
	return nil
}

// NoteFailedApply keeps beside the newest apply that went well what a later one, which
// failed, has left: its state is no lost one. Where nothing went well yet, the ledger
// alone remembers. So it is where that newest apply was for another repository, which has
// ended the target: its record would say that what is there now belongs to it.
func NoteFailedApply(ctx context.Context, s Records, of pipeline.Customer, t pipeline.Target, state pipeline.StateRecord, at time.Time) error {
	older, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return err
	}
	stored, found, err := LoadLastApply(ctx, s, t)
	if err != nil || !found {
		return err
	}
	if stored.Receipt.RepositoryID != of.RepositoryID {
		return deleteAll(ctx, s, older)
	}
	stored.State, stored.Accepted = &state, nil
	return stored.replace(ctx, s, older, at)
}

// NotePath adds the path of an apply that is about to begin to the record of the newest apply
// that went well from another path. It comes first, since an apply may end without a word.
// Without a record that can be read, or with one of another repository, there is none to add
// it to. Whether the path is missing is looked up in seen.
func NotePath(ctx context.Context, s, seen Records, of pipeline.Customer, t pipeline.Target, at time.Time) error {
	if _, lacks, err := lacksPath(ctx, seen, of, t); err != nil || !lacks {
		return err
	}
	older, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return err
	}
	stored, lacks, err := lacksPath(ctx, s, of, t) // after the list: what it lacks is not removed
	if err != nil || !lacks {
		return err
	}
	stored.FailedPaths = append(stored.FailedPaths, of.Path)
	return stored.replace(ctx, s, older, at)
}

// lacksPath returns the record of the last apply, and whether the path of a customer is to
// be added to it.
func lacksPath(ctx context.Context, s Records, of pipeline.Customer, t pipeline.Target) (stored LastApply, lacks bool, err error) {
	stored, found, err := LoadLastApply(ctx, s, t)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return stored, false, nil
	}
	known := stored.Path == of.Path || slices.Contains(stored.FailedPaths, of.Path)
	return stored, err == nil && found && stored.Receipt.RepositoryID == of.RepositoryID && !known, err
}

// replace writes a record again, and then removes the older ones. Their variables stay.
func (l LastApply) replace(ctx context.Context, s Records, older []string, at time.Time) error {
	t := l.Receipt.Target()
	key := lastApplyBaseAfter(older, t, at, l.Receipt.Request) + ".json"
	err := s.CreateRecord(ctx, LastApplyRecord(t), key, l)
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return err
	}
	err = nil
	for _, old := range older {
		if old < key && strings.HasSuffix(old, ".json") {
			err = errors.Join(err, s.Delete(ctx, old))
		}
	}
	return err
}

// deleteAll deletes records of the last apply, the records before their variables.
func deleteAll(ctx context.Context, s pipeline.Store, keys []string) error {
	for _, ending := range []string{".json", ""} {
		for _, key := range keys {
			if strings.HasSuffix(key, ending) {
				if err := s.Delete(ctx, key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ForgetLastApply removes the records of the last apply of a target, and reports whether
// there were any.
func ForgetLastApply(ctx context.Context, s pipeline.Store, t pipeline.Target) (bool, error) {
	keys, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return false, fmt.Errorf("look for the last apply of %s: %w", t, err)
	}
	return len(keys) > 0, deleteAll(ctx, s, keys)
}

// NoteOwner writes the record of the last apply again for another repository and with the
// state that is there now: an operator has decided that the target belongs to it. Without
// a record that can be read there is none to write: what cannot be believed goes, and the
// ledger and the registration remember.
func NoteOwner(ctx context.Context, s Records, of pipeline.Customer, t pipeline.Target, state pipeline.StateRecord, by Acceptance) error {
	older, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return err
	}
	last, err := OpenLastApply(ctx, s, t)
	if errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrUnknownKey) || err == nil && !last.Found {
		return deleteAll(ctx, s, older)
	}
	if err != nil {
		return err
	}
	stored := last.Record
	stored.Receipt.RepositoryID, stored.State, stored.Accepted = of.RepositoryID, &state, &by
	base := lastApplyBaseAfter(older, t, by.At, stored.Receipt.Request)
	if err := stored.Seal(ctx, s, base, last.Variables); err != nil {
		return err
	}
	return deleteAll(ctx, s, older)
}

// LastAppliedAt reads the time out of the key of a record of the last apply.
func LastAppliedAt(key string) (time.Time, bool) {
	name, ok := strings.CutSuffix(key[strings.LastIndex(key, "/")+1:], ".json")
	at, parseErr := time.Parse(LastApplyTimes, name[:min(len(name), len(LastApplyTimes))])
	return at, ok && parseErr == nil
}
