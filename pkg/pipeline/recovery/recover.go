package recovery

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// RecoverInput is one call of Recoverer.Run.
type RecoverInput struct {
	pipeline.TargetInput
	File   string // sealed state that the store could not take; empty: the store has it
	Unlock string // see KeptState
}

// Recovered records that a kept state is in its backend again.
type Recovered struct {
	State pipeline.StateVersion `json:"state"`
	Run   pipeline.Run          `json:"run"`
	At    time.Time             `json:"at"`
}

// Recoverer brings a state back that an apply had to keep.
type Recoverer struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Engine pipeline.StatePusher
	Now    func() time.Time
}

// Run opens the kept state of the newest planning that has one, or of in.File
// when that is not empty, and pushes it, once. The receipt authenticates it: customer,
// environment and backend must be those that the apply worked on.
func (r *Recoverer) Run(ctx context.Context, in RecoverInput) (pipeline.StateVersion, error) {
	if err := os.MkdirAll(in.RunDir, 0o700); err != nil {
		return pipeline.StateVersion{}, fmt.Errorf("create the run directory: %w", err)
	}
	plaintext := filepath.Join(in.RunDir, "kept.tfstate")
	open := r.open
	if in.File != "" {
		open = r.openFile
	}
	folder, receipt, err := open(ctx, in, plaintext)
	if err != nil {
		return pipeline.StateVersion{}, err
	}
	if done, err := r.recovered(ctx, folder); err != nil || done != nil {
		if done != nil {
			return done.State, errors.Join(err, os.Remove(plaintext), r.appendLedger(ctx, in, receipt, done.State))
		}
		return pipeline.StateVersion{}, err
	}
	if err := forgetOutputs(ctx, r.Store, in.TargetInput); err != nil {
		return pipeline.StateVersion{}, err
	}
	job := pipeline.Job{Customer: in.Customer, Environment: in.Environment, Stack: in.Stack, ManagerDir: in.ManagerDir, Dir: in.RunDir, Backend: in.Backend, Log: in.LogOrDiscard()}
	state, err := r.Engine.PushState(ctx, job, pipeline.KeptState{File: plaintext, Planned: receipt.Evidence.State(), Unlock: in.Unlock})
	if err = errors.Join(err, os.Remove(plaintext)); err != nil {
		return state, err
	}
	err = record.Records{Store: r.Store, Sealer: r.Sealer}.CreateRecord(ctx, folder, record.ObjectRecovered, Recovered{State: state, Run: in.Run, At: r.Now().UTC()})
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return state, fmt.Errorf("the state is back, but that could not be recorded: %w", err)
	}
	return state, r.appendLedger(ctx, in, receipt, state)
}

// recovered returns the record of a state that was brought back before, or nil.
func (r *Recoverer) recovered(ctx context.Context, folder record.PlanAttempt) (*Recovered, error) {
	var done Recovered
	err := record.Records{Store: r.Store, Sealer: r.Sealer}.ReadRecord(ctx, folder, record.ObjectRecovered, &done)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, record.TamperedOr(err, fmt.Sprintf("the record %s, which says that the state is back,", folder.Key(record.ObjectRecovered)))
	}
	return &done, nil
}

// open finds the planning that the kept state belongs to and writes it in clear.
// It needs no request: that may be gone before someone gets to it.
func (r *Recoverer) open(ctx context.Context, in RecoverInput, plaintext string) (record.PlanAttempt, pipeline.Receipt, error) {
	target := in.Target().String()
	folders, err := r.folders(ctx, in.TargetInput)
	if err != nil {
		return record.PlanAttempt{}, pipeline.Receipt{}, fmt.Errorf("look for the kept state of %s: %w", target, err)
	}
	for _, folder := range folders {
		receipt, err := record.DecodeReceipt(ctx, r.Store, folder)
		if err == nil {
			err = record.UnsealFile(ctx, r.Store, r.Sealer, folder.Key(record.ObjectErrored), pipeline.BindTo(receipt, record.ObjectErrored), plaintext)
		}
		if errors.Is(err, pipeline.ErrNotFound) {
			continue // an earlier planning may be the one
		}
		if err != nil {
			return record.PlanAttempt{}, pipeline.Receipt{}, record.TamperedOr(err, "the kept state of "+target)
		}
		return folder, receipt, fits(receipt, in.TargetInput)
	}
	return record.PlanAttempt{}, pipeline.Receipt{}, pipeline.Usagef("request %s has no kept state for %s", in.Request.Short(), target).
		Nextf("the message of the failed apply names the request; `--file` names a state that the store could not take")
}

// fits compares the receipt of a kept state with the target that it is to go to.
func fits(receipt pipeline.Receipt, in pipeline.TargetInput) error {
	target := in.Target().String()
	switch {
	case receipt.Request != in.Request || receipt.Target() != in.Target():
		return &pipeline.RefusedError{
			Reason:  pipeline.ReasonTampered,
			Message: fmt.Sprintf("the kept state of %s is one of %s", target, receipt.Target()),
			Next:    "find out who can write to the store",
		}
	case receipt.RepositoryID != in.Customer.RepositoryID:
		return pipeline.Usagef("the kept state of %s is of repository id %d, but customer %s has %d",
			target, receipt.RepositoryID, in.Customer.Name, in.Customer.RepositoryID)
	case receipt.Backend != in.Backend.String():
		return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("the kept state of %s belongs to %s, and this run uses %s", target, receipt.Backend, in.Backend),
			Next: "run it with the manager and the store of that time"}
	}
	return nil
}

// folders are those that may hold a kept state or its receipt, the newest first.
func (r *Recoverer) folders(ctx context.Context, in pipeline.TargetInput) ([]record.PlanAttempt, error) {
	keys, err := r.Store.List(ctx, record.KeptRequestPrefix(in.Target(), in.Request))
	if err != nil {
		return nil, err
	}
	var folders []record.PlanAttempt
	for _, key := range slices.Backward(keys) {
		if folder, ok := strings.CutSuffix(key, record.ObjectReceipt); ok {
			folders = append(folders, record.PlanAttempt{Target: in.Target(), Prefix: folder})
		}
	}
	return folders, nil
}

// maxReceipt is far more than a receipt has.
const maxReceipt = 64 << 10

// openFile reads a state that the store could not take: its receipt in the first
// line, and then what that authenticates. Nothing of it needs the store, from which
// the plan may be gone.
func (r *Recoverer) openFile(ctx context.Context, in RecoverInput, plaintext string) (record.PlanAttempt, pipeline.Receipt, error) {
	f, err := os.Open(filepath.Clean(in.File))
	if err != nil {
		return record.PlanAttempt{}, pipeline.Receipt{}, pipeline.Usagef("--file %s", in.File).Because(err)
	}
	receipt, err := r.unsealSpare(ctx, f, plaintext)
	if err = errors.Join(err, f.Close()); err != nil {
		return record.PlanAttempt{}, pipeline.Receipt{}, record.TamperedOr(err, "the kept state in "+in.File)
	}
	if err := fits(receipt, in.TargetInput); err != nil {
		return record.PlanAttempt{}, pipeline.Receipt{}, err
	}
	folders, err := r.folders(ctx, in.TargetInput)
	if err != nil {
		return record.PlanAttempt{}, pipeline.Receipt{}, fmt.Errorf("look for the plan of %s: %w", in.File, err)
	}
	for _, folder := range folders {
		if stored, err := record.DecodeReceipt(ctx, r.Store, folder); err == nil && stored.Digest() == receipt.Digest() {
			return folder, receipt, nil
		}
	}
	return record.PlanAttempt{
		Target: receipt.Target(),
		Prefix: record.KeptRequestPrefix(receipt.Target(), receipt.Request) + receipt.Code() + "/",
	}, receipt, nil
}

func (r *Recoverer) unsealSpare(ctx context.Context, file io.Reader, plaintext string) (pipeline.Receipt, error) {
	lines := bufio.NewReaderSize(file, maxReceipt)
	line, err := lines.ReadSlice('\n')
	if err != nil {
		return pipeline.Receipt{}, fmt.Errorf("%w: it does not begin with a receipt", pipeline.ErrTampered)
	}
	receipt, err := pipeline.ParseReceipt(line)
	if err != nil {
		return pipeline.Receipt{}, fmt.Errorf("%w: %w", pipeline.ErrTampered, err)
	}
	sealed, err := r.Sealer.Unseal(ctx, lines, pipeline.BindTo(receipt, record.ObjectErrored))
	if err != nil {
		return pipeline.Receipt{}, err
	}
	out, err := os.OpenFile(filepath.Clean(plaintext), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return pipeline.Receipt{}, err
	}
	_, err = io.Copy(out, sealed)
	return receipt, errors.Join(err, out.Close())
}

// appendLedger records that a kept state is in its backend again.
func (r *Recoverer) appendLedger(ctx context.Context, in RecoverInput, receipt pipeline.Receipt, state pipeline.StateVersion) error {
	request := pipeline.Request{ID: receipt.Request, Customer: receipt.Customer, Commit: receipt.Commit} // its record may be gone by now
	e := ledger.NewEntry(ledger.Recovered, request, in.Target(), in.Run)
	e.Receipt, e.Actor = receipt.Digest(), in.Actor
	if state.Lineage != "" {
		e.State = &pipeline.StateRecord{StateVersion: state, Resources: pipeline.UnknownResources}
	}
	if in.Unlock != "" {
		e.Message = "lock " + in.Unlock + " was released for it"
	}
	if _, err := (ledger.Ledger{Records: record.Records{Store: r.Store, Sealer: r.Sealer}, Now: r.Now}).Append(ctx, e); err != nil {
		return fmt.Errorf("the state is back, but that could not be recorded: %w", err)
	}
	return nil
}
