package pipelinetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// Registrations are the keys of the records about names.
func (w *Setup) Registrations() []string {
	w.T.Helper()
	return Must[[]string](w.T)(w.Store.List(context.Background(), "_metapipe/customers/"))
}

// Renames is where the records about the old names of the customer of a setup lie.
const Renames = "_metapipe/customers/7/renamed/"

// DeleteNames removes all records about names.
func (w *Setup) DeleteNames() {
	w.T.Helper()
	for _, key := range w.Registrations() {
		if err := w.Store.Delete(context.Background(), key); err != nil {
			w.T.Fatal(err)
		}
	}
}

// StateMover moves the states of the setup's engine. lineages are those of states that are not
// of the engine's own lineage.
type StateMover struct {
	e        *Engine
	Lineages map[string]string
	Fail     func() error
	Empty    bool // its states have no resources
}

func (m *StateMover) PullState(_ context.Context, job pipeline.Job, file string) (pipeline.StateRecord, error) {
	serial, found := m.e.States[job.Backend.String()]
	if !found {
		return pipeline.StateRecord{}, os.WriteFile(file, nil, 0o600)
	}
	v := pipeline.StateVersion{Lineage: "l", Serial: serial}
	if other := m.Lineages[job.Backend.String()]; other != "" {
		v.Lineage = other
	}
	resources := 2
	if m.Empty {
		resources = 0
	}
	return pipeline.StateRecord{StateVersion: v, Resources: resources}, os.WriteFile(file, fmt.Appendf(nil, "%d %q", serial, v.Lineage), 0o600)
}

// SameState is false: the files have no resources that could be compared.
func (m *StateMover) SameState(pipeline.Job, string, string) (bool, error) { return false, nil }

func (m *StateMover) PushState(_ context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	if err := m.Fail(); err != nil {
		return pipeline.StateVersion{}, err
	}
	var v pipeline.StateVersion
	b, err := os.ReadFile(kept.File)
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%d %q", &v.Serial, &v.Lineage)
	}
	place := job.Backend.String()
	if now, found := m.e.States[place]; found && now != kept.Planned.Serial {
		return pipeline.StateVersion{}, &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: "the state has changed since it was read"}
	}
	m.e.States[place], m.Lineages[place] = v.Serial, v.Lineage
	return v, err
}

// LocksByTarget is the lock of one target.
type LocksByTarget map[string]*pipeline.Lock

func (l LocksByTarget) Lock(_ context.Context, _ pipeline.Customer, t pipeline.Target) (*pipeline.Lock, bool, error) {
	return l[t.String()], true, nil
}

// Backend is where the state of a target lies.
func (w *Setup) Backend(t pipeline.Target) pipeline.Backend {
	return pipeline.State{}.Target(t, "/state")
}

// Renamer is the rename command.
func (w *Setup) Renamer() *registry.Renamer {
	m := &StateMover{e: w.Engine, Lineages: map[string]string{}, Fail: func() error { return nil }}
	return &registry.Renamer{Store: w.Store, Sealer: w.Sealer, Engine: m, Locks: LocksByTarget{}, Now: w.Tick}
}

// RenameInput declares the customer under its new name and returns the input of the rename.
func (w *Setup) RenameInput(old, name pipeline.CustomerName) registry.RenameInput {
	w.Current.Name, w.Current.File = name, "customers/"+string(name)+".yml"
	return registry.RenameInput{Old: old, New: w.Current, Backend: w.Backend, ManagerDir: w.ManagerDir, RunDir: filepath.Join(w.T.TempDir(), "run"), Actor: "operator"}
}

// Rename renames a customer.
func (w *Setup) Rename(old, name pipeline.CustomerName) error {
	_, err := w.Renamer().Run(context.Background(), w.RenameInput(old, name), true)
	return err
}

// WantNamed wants that a customer plans on what was applied, and that the others do not. Its
// variables are new each time: a plan without changes leaves no record of an apply.
func (w *Setup) WantNamed(name pipeline.CustomerName, others ...pipeline.CustomerName) {
	w.T.Helper()
	for _, other := range others {
		w.Current.Name = other
		if err := registry.CheckRegistered(context.Background(), w.Store, w.Sealer, w.Current); err == nil {
			w.T.Errorf("%s goes on", other)
		}
	}
	w.Current.Name = name
	request := Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(fmt.Sprintf("staging %d\nproduction one\n", w.lastRun)), "push")))
	Must[deploy.TargetResult](w.T)(w.Plan(request, "staging"))
	if applied := Must[deploy.TargetResult](w.T)(w.Apply(w.Target(request, "staging"))); applied.Outcome != pipeline.OutcomeApplied {
		w.T.Errorf("the apply of %s ended as %s", name, applied.Outcome)
	}
	w.Report(request, true)
	last, err := LastApplyOf(context.Background(), w.Store, w.Sealer, name.In("staging"))
	if err != nil || last.Request != request.ID {
		w.T.Errorf("the last apply of %s is %s, %v", name, last.Request, err)
	}
}

// DeleteRegistrations removes the registrations and leaves what is known of old names.
func (w *Setup) DeleteRegistrations() {
	w.T.Helper()
	for _, key := range w.Registrations() {
		if !strings.HasPrefix(key, Renames) {
			w.DeleteAll(key)
		}
	}
}
