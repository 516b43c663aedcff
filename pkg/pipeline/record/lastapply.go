package record

import (
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
// variables attached, since it outlasts the plan.
type LastApply struct {
	Receipt pipeline.Receipt `json:"receipt"`
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

	attached Attached // variables.yml
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

// LastApplyKey is the key of a record: they come in the order of their times.
func LastApplyKey(t pipeline.Target, at time.Time, id pipeline.RequestID) string {
	return LastApplyPrefix(t) + at.UTC().Format(LastApplyTimes) + "-" + string(id) + ".json"
}

// NextLastApplyKey is LastApplyKey, and behind every record that the target has: clocks
// of runners differ, and the last key counts.
func NextLastApplyKey(ctx context.Context, s pipeline.Store, t pipeline.Target, at time.Time, id pipeline.RequestID) (string, error) {
	keys, err := s.List(ctx, LastApplyPrefix(t))
	if err != nil {
		return "", fmt.Errorf("look for the last apply of %s: %w", t, err)
	}
	return LastApplyKey(t, behind(keys, at, ".json"), id), nil
}

// Seal writes a record with its variables under a key.
func (l LastApply) Seal(ctx context.Context, s Records, key string, variables []byte) error {
	return s.CreateAttached(ctx, LastApplyRecord(l.Receipt.Target()), key, l, variables)
}

// NoteLastApply writes the record, with the variables of the plan beside it, and removes
// the older ones. The new one comes first, so that there is one at any time.
func NoteLastApply(ctx context.Context, s Records, request pipeline.Request, receipt pipeline.Receipt, variables []byte, ended Result, left *pipeline.StateRecord) error {
	older, err := s.List(ctx, LastApplyPrefix(receipt.Target()))
	if err != nil {
		return err
	}
	stored := LastApply{Receipt: receipt, Path: path.Dir(request.File), Actor: request.Actor, Run: ended.Run, At: ended.At, State: left}
	return stored.replaceWith(ctx, s, older, ended.At, variables)
}

// LoadLastApply returns the record, and false where metapipe applied nothing yet.
func LoadLastApply(ctx context.Context, s Records, t pipeline.Target) (LastApply, bool, error) {
	stored, all, err := loadLastApply(ctx, s, t)
	if err != nil {
		return LastApply{}, false, err
	}
	return stored, len(all) > 0, nil
}

// loadLastApply returns the record with the keys of all that there are, also beside an error: a
// newer one replaces them. There is no record where there are no keys.
func loadLastApply(ctx context.Context, s Records, t pipeline.Target) (stored LastApply, all []string, err error) {
	fail := func(err error) (LastApply, []string, error) {
		return LastApply{}, all, fmt.Errorf("look for the last apply of %s: %w", t, err)
	}
	if all, err = s.List(ctx, LastApplyPrefix(t)); err != nil {
		return fail(err)
	}
	all = slices.DeleteFunc(all, func(key string) bool { return !strings.HasSuffix(key, ".json") })
	if len(all) == 0 {
		return LastApply{}, nil, nil
	}
	if stored.attached, err = s.readAttached(ctx, LastApplyRecord(t), all[len(all)-1], &stored); err != nil {
		return fail(err)
	}
	if stored.Receipt.Target() != t {
		return fail(fmt.Errorf("%w: the record is of %s", pipeline.ErrTampered, stored.Receipt.Target()))
	}
	return stored, all, nil
}

// OpenVariables opens the variables.yml that was applied.
func (l LastApply) OpenVariables(ctx context.Context, sealer pipeline.Sealer) ([]byte, error) {
	return l.attached.Text(ctx, sealer)
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
	variables, err := stored.OpenVariables(ctx, s.Sealer)
	return Opened{stored, variables, true}, err
}

// NoteState writes the record of the last apply again with another state. Without a
// record that can be read there is none to write: then the ledger alone remembers, and
// what cannot be believed goes.
func NoteState(ctx context.Context, s Records, t pipeline.Target, state pipeline.StateRecord, by Acceptance) error {
	stored, older, err := loadLastApply(ctx, s, t)
	if err != nil && !isDoubted(err) {
		return err
	}
	if err != nil || len(older) == 0 {
		return deleteAll(ctx, s, older)
	}
	stored.State, stored.Accepted = &state, &by
	return stored.replace(ctx, s, older, by.At)
}

// NoteFailedApply keeps beside the newest apply that went well what a later one, which
// failed, has left: its state is no lost one. Where nothing went well yet, the ledger
// alone remembers. So it is where that newest apply was for another repository, which has
// ended the target: its record would say that what is there now belongs to it.
func NoteFailedApply(ctx context.Context, s Records, of pipeline.Customer, t pipeline.Target, state pipeline.StateRecord, at time.Time) error {
	stored, older, err := loadLastApply(ctx, s, t)
	if err != nil || len(older) == 0 {
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
	if _, _, lacks, err := lacksPath(ctx, seen, of, t); err != nil || !lacks {
		return err
	}
	stored, older, lacks, err := lacksPath(ctx, s, of, t)
	if err != nil || !lacks {
		return err
	}
	stored.FailedPaths = append(stored.FailedPaths, of.Path)
	return stored.replace(ctx, s, older, at)
}

// lacksPath is loadLastApply, and whether the path of a customer is to be added to the record.
func lacksPath(ctx context.Context, s Records, of pipeline.Customer, t pipeline.Target) (stored LastApply, all []string, lacks bool, err error) {
	stored, all, err = loadLastApply(ctx, s, t)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return stored, all, false, nil
	}
	known := stored.Path == of.Path || slices.Contains(stored.FailedPaths, of.Path)
	return stored, all, err == nil && len(all) > 0 && stored.Receipt.RepositoryID == of.RepositoryID && !known, err
}

// replace writes a record again with its variables, and then removes the older ones. Variables
// that cannot be opened stay away: whoever needs them is told that they are gone.
func (l LastApply) replace(ctx context.Context, s Records, older []string, at time.Time) error {
	variables, err := l.OpenVariables(ctx, s.Sealer)
	if err != nil && !isDoubted(err) {
		return err
	}
	return l.replaceWith(ctx, s, older, at, variables)
}

// replaceWith writes a record behind the older ones, and then removes these.
func (l LastApply) replaceWith(ctx context.Context, s Records, older []string, at time.Time, variables []byte) error {
	if err := l.Seal(ctx, s, LastApplyKey(l.Receipt.Target(), behind(older, at, ".json"), l.Receipt.Request), variables); err != nil {
		return err
	}
	return deleteAll(ctx, s, older)
}

func deleteAll(ctx context.Context, s pipeline.Store, keys []string) error {
	var err error
	for _, key := range keys {
		err = errors.Join(err, s.Delete(ctx, key))
	}
	return err
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
	stored, older, err := loadLastApply(ctx, s, t)
	var variables []byte
	if err == nil && len(older) > 0 {
		variables, err = stored.OpenVariables(ctx, s.Sealer)
	}
	switch {
	case isDoubted(err), err == nil && len(older) == 0:
		return deleteAll(ctx, s, older)
	case err != nil:
		return err
	}
	stored.Receipt.RepositoryID, stored.State, stored.Accepted = of.RepositoryID, &state, &by
	return stored.replaceWith(ctx, s, older, by.At, variables)
}

// LastAppliedAt reads the time out of the key of a record of the last apply.
func LastAppliedAt(key string) (time.Time, bool) { return timeOf(key, ".json") }

// timeOf reads the time out of a key that begins with it, and has one of the endings.
func timeOf(key string, endings ...string) (time.Time, bool) {
	name := key[strings.LastIndex(key, "/")+1:]
	at, err := time.Parse(LastApplyTimes, name[:min(len(name), len(LastApplyTimes))])
	return at, err == nil && slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(name, ending) })
}

// behind is a time after those of the keys: clocks of runners differ, and the last key counts.
func behind(keys []string, at time.Time, endings ...string) time.Time {
	for _, key := range keys {
		if newest, ok := timeOf(key, endings...); ok && !at.After(newest) {
			at = newest.Add(time.Nanosecond)
		}
	}
	return at
}
