package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/pulumi"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
)

// targetState is what is shown of a state: never a value of it.
type targetState struct {
	pipeline.Target
	Place     string     `json:"place"`
	Exists    bool       `json:"exists"`
	Size      int64      `json:"size"` // bytes
	Serial    uint64     `json:"serial"`
	Lineage   string     `json:"lineage,omitempty"`
	Resources int        `json:"resources"` // managed ones; -1 where the state does not say
	Changed   *time.Time `json:"changed,omitempty"`
	// Lost says why the state is not the one that the last apply left.
	Lost *pipeline.LostState `json:"lost,omitempty"`
	// Ended is when a destroy left nothing, where nothing was built since.
	Ended *time.Time     `json:"ended,omitempty"`
	Lock  *pipeline.Lock `json:"lock,omitempty"`
	// LockUnknown says where the lock is when it cannot be read from here.
	LockUnknown string `json:"lock_unknown,omitempty"`
	// LockDamaged says what is wrong with a record of a lock that cannot be read as one.
	LockDamaged *pipeline.DamagedLock `json:"lock_damaged,omitempty"`
	// Unread says why the rest is not known; empty where it is.
	Unread string `json:"unread,omitempty"`
	// Unregistered: the store has records of the customer, and customers/ has no file.
	Unregistered bool `json:"unregistered,omitempty"`
	// Left says why nothing plans an applied target any more: its customer may not use the
	// environment.
	Left string `json:"left,omitempty"`
	// RenamedTo is the name that has the state of such a customer now. RenameUnread says why
	// the record of a rename is not to be believed.
	RenamedTo    pipeline.CustomerName `json:"renamed_to,omitempty"`
	RenameUnread string                `json:"rename_unread,omitempty"`
	// Kept are the requests whose state waits for `state recover`.
	Kept []string `json:"kept,omitempty"`
}

func (s targetState) size() string {
	if s.Unread != "" {
		return "UNREAD"
	}
	if s.Lost != nil {
		return "LOST"
	}
	if s.Ended != nil {
		return "ENDED"
	}
	if !s.Exists {
		return "none"
	}
	return fmt.Sprintf("%d B", s.Size)
}

// damaged reports whether something lies in the place of the state that is not one.
func (s targetState) damaged() bool { return s.Lost != nil && s.Lost.Damaged }

func (s targetState) serial() string {
	if !s.Exists || s.damaged() || s.Unread != "" {
		return "-"
	}
	return fmt.Sprint(s.Serial)
}

func (s targetState) changed() string {
	if s.Changed == nil {
		return "-"
	}
	return s.Changed.Format(time.RFC3339)
}

func (s targetState) lock() string {
	switch {
	case s.Lock != nil:
		return render.TerminalLine(s.Lock.String())
	case s.LockDamaged != nil:
		return "damaged (" + render.TerminalLine(s.LockDamaged.Why) + ")"
	case s.Unread != "":
		return "-"
	case s.LockUnknown != "":
		return "not visible here (" + render.TerminalLine(s.LockUnknown) + ")"
	}
	return "free"
}

// states reads the states of targets and their locks.
type states struct{ *manager }

func statesOf(m *manager) states { return states{m} }

// target reads what there is of one target.
func (m states) target(ctx context.Context, c pipeline.Customer, t pipeline.Target) (targetState, error) {
	backend := m.backend(t)
	state := targetState{Target: t, Place: backend.String()}
	kept, err := m.store.List(ctx, record.KeptPrefix(t))
	if err != nil {
		return state, err
	}
	state.Kept = record.KeptStates(kept)
	if !m.config.Manager.StateInStore(t) {
		err = m.stateByTool(ctx, c, t, &state)
	} else {
		err = m.stateInStore(ctx, c, t, &state)
	}
	if err != nil {
		return state, err
	}
	if !state.damaged() {
		if state.Lost, err = ledger.LookForLost(ctx, m.store, t, state.record(), state.Place); err != nil {
			return state, err
		}
	}
	if err := m.end(ctx, &state); err != nil {
		return state, err
	}
	if !c.Has(t) && state.Ended == nil && (state.Lost != nil || state.Exists && state.Resources != 0) {
		state.Left = c.WhyLeft(t)
	}
	if !m.config.Manager.StateInStore(t) {
		return state, nil
	}
	if table := m.config.Manager.State.Bucket.LockTable; table != "" {
		state.LockUnknown = "in the DynamoDB table " + table
	}
	return state, nil
}

// end fills in when a destroy has left nothing of a target, unless its state says
// otherwise now.
func (m states) end(ctx context.Context, state *targetState) error {
	at, ended, err := intake.LookForEnded(ctx, m.store, state.Target)
	if err == nil && ended && state.Lost == nil && state.Resources <= 0 {
		state.Ended = &at
	}
	return err
}

// stateInStore reads a state that lies beside the objects of the store. It looks at the
// state and its locks alone: what else lies under the target grows with its requests.
func (m states) stateInStore(ctx context.Context, c pipeline.Customer, t pipeline.Target, state *targetState) error {
	if _, _, own := m.ownHome(c, t); own {
		return m.stateAtHome(ctx, c, t, state)
	}
	key := pipeline.StateKey(t)
	found, err := m.store.Describe(ctx, key)
	if err != nil {
		return err
	}
	if m.backend(t).Type == "local" { // such a state has its lock beside it
		if err := m.takeLock(ctx, lockNote(t), state); err != nil {
			return err
		}
	}
	for _, f := range found {
		switch {
		case f.Key == key && f.Size > 0:
			if err := m.readStored(ctx, state); err != nil {
				return err
			}
			state.Exists, state.Size, state.Changed = true, f.Size, &f.Changed
		case f.Key == key+".tflock":
			if err := m.takeLock(ctx, f.Key, state); err != nil {
				return err
			}
		}
	}
	return nil
}

// stateAtHome asks the engine whose states have places of their own.
func (m states) stateAtHome(ctx context.Context, c pipeline.Customer, t pipeline.Target, state *targetState) error {
	finder, job, _ := m.ownHome(c, t)
	reader, err := capable[pipeline.StateReader](m.manager, c, t.Stack, pipeline.CapabilityState)
	if err != nil {
		return err
	}
	version, size, err := reader.State(ctx, job)
	if state.Lost = pipeline.AsLost(err); state.Lost == nil && err != nil {
		return err
	}
	state.Exists, state.Size = size > 0 || state.Lost != nil, size
	state.Place = strings.TrimSuffix(state.Place, path.Base(state.Place)) + pulumi.HomeFolder
	state.take(version)
	state.Lock, err = finder.FindLock(ctx, job)
	return err
}

// takeLock notes who holds a lock. It may be released since.
func (m states) takeLock(ctx context.Context, key string, state *targetState) error {
	lock, err := m.readLock(ctx, key)
	var damaged *pipeline.DamagedLock
	switch {
	case errors.As(err, &damaged):
		state.LockDamaged = damaged
	case err != nil:
		return fmt.Errorf("lock of %s: %w", state.Target, err)
	case lock != nil:
		state.Lock = lock
	}
	return nil
}

// readStored reads the version of a state that lies in the store. One that is not there, or
// is empty, has none.
func (m states) readStored(ctx context.Context, state *targetState) error {
	var version pipeline.StateRecord
	err := m.read(ctx, pipeline.StateKey(state.Target), func(r io.Reader) (err error) {
		version, err = statefile.Read(r)
		return err
	})
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return nil
	case errors.Is(err, statefile.ErrDamaged):
		lost := pipeline.DamagedState(state.Target, state.Place, statefile.Reason(err))
		state.Lost = &lost
	case err != nil:
		return fmt.Errorf("state of %s: %w", state.Target, err)
	}
	state.take(version)
	return nil
}

// reader reads the heads of states in the store; nil where they lie in another backend.
func (m states) reader() func(io.Reader) (pipeline.StateRecord, error) {
	if m.config.Manager.State.Backend.Type != "" {
		return nil
	}
	return statefile.Read
}

func (m states) read(ctx context.Context, key string, read func(io.Reader) error) error {
	r, err := m.store.Open(ctx, key)
	if err != nil {
		return err
	}
	return errors.Join(read(r), r.Close())
}

// stateByTool asks the tool, since it alone can read other backends.
func (m states) stateByTool(ctx context.Context, c pipeline.Customer, t pipeline.Target, state *targetState) error {
	dir, remove, err := m.workDir(directories{})
	if err != nil {
		return err
	}
	defer remove()
	job := pipeline.Job{Customer: c, Environment: t.Environment, Stack: t.Stack, Dir: filepath.Join(dir, "state"), Backend: m.backend(t), Log: io.Discard}
	engine, err := capable[pipeline.StateReader](m.manager, c, t.Stack, pipeline.CapabilityState)
	if err != nil {
		return err
	}
	version, size, err := engine.State(ctx, job)
	if finder, is := engine.(pipeline.LockFinder); is && err == nil {
		state.Lock, err = finder.FindLock(ctx, job)
	} else {
		state.LockUnknown = "in the backend " + job.Backend.Type
	}
	if state.Lost = pipeline.AsLost(err); state.Lost != nil {
		state.Exists = true
		return nil
	}
	if err != nil {
		return err
	}
	state.Exists, state.Size = size > 0, size
	state.take(version)
	return nil
}

func (s *targetState) take(r pipeline.StateRecord) {
	s.Serial, s.Lineage, s.Resources = r.Serial, r.Lineage, r.Resources
}

func (s targetState) record() pipeline.StateRecord {
	if !s.Exists {
		return pipeline.StateRecord{}
	}
	return pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: s.Lineage, Serial: s.Serial}, Resources: s.Resources}
}

// scanned reads the states of targets that a scan does not plan: from the store where they
// lie there, and with the tool where the store remembers one.
func (m states) scanned(fleet pipeline.Fleet) func(context.Context, pipeline.Job, bool) (pipeline.StateRecord, error) {
	return func(ctx context.Context, job pipeline.Job, remembered bool) (pipeline.StateRecord, error) {
		if m.config.Manager.StateInStore(job.Target()) {
			return m.storedRecord(ctx, job)
		}
		if !remembered {
			return pipeline.StateRecord{}, nil
		}
		state, _, err := fleet.State(ctx, job)
		return state, err
	}
}

// storedRecord is the version of the state of job's target that lies in the store. A damaged
// one is a refusal.
func (m states) storedRecord(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, error) {
	if _, own, is := m.ownHome(job.Customer, job.Target()); is {
		reader, err := capable[pipeline.StateReader](m.manager, job.Customer, job.Stack, pipeline.CapabilityState)
		if err != nil {
			return pipeline.StateRecord{}, err
		}
		now, _, err := reader.State(ctx, own)
		return now, err
	}
	state := targetState{Target: job.Target(), Place: job.Backend.String()}
	if err := m.readStored(ctx, &state); err != nil {
		return pipeline.StateRecord{}, err
	}
	if state.Lost != nil {
		return pipeline.StateRecord{}, state.Lost.Refusal()
	}
	state.Exists = state.Lineage != ""
	return state.record(), nil
}
