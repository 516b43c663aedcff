package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// StatePusher writes a state that an apply could not write. pkg/terraform
// implements it.
type StatePusher interface {
	// PushState writes a kept state to the backend of job's target and returns the
	// version that it has there. It is a *RefusedError when the backend holds a
	// state of another lineage, or one that somebody wrote since the plan.
	PushState(ctx context.Context, job Job, kept KeptState) (StateVersion, error)
}

// KeptState is a state that an apply could not write to its backend.
type KeptState struct {
	File    string       // in clear: it holds secrets
	Planned StateVersion // what the plan of that apply was made on
	// Unlock is the id of a lock to release first: that of the failed apply, which
	// could not reach its backend to do so. Mostly empty.
	Unlock string
}

// RecoverInput is one call of Recoverer.Run.
type RecoverInput struct {
	TargetInput
	File   string // sealed state that the store could not take; empty: the store has it
	Unlock string // see KeptState
}

// Recovered records that a kept state is in its backend again.
type Recovered struct {
	State StateVersion `json:"state"`
	Run   Run          `json:"run"`
	At    time.Time    `json:"at"`
}

// keepState seals a state that could not be written into the kept folder of its
// plan, behind a copy of the receipt that it is bound to. Where the store is gone
// as well, it becomes a sealed file in in.SpareDir, which outlasts the run directory.
func (a *Applier) keepState(ctx context.Context, in TargetInput, folder PlanAttempt, receipt Receipt, file string) (operator, spare string, err error) {
	ctx, cancel := CleanupContext(ctx)
	defer cancel()
	command := fmt.Sprintf("metapipe state recover --customer %s --environment %s --request %s", receipt.Customer, receipt.Environment, receipt.Request)
	kept := PlanAttempt{Customer: receipt.Customer, Environment: receipt.Environment, Prefix: KeptRequestPrefix(receipt.Customer, receipt.Environment, receipt.Request) + path.Base(folder.Prefix) + "/"}
	storeErr := a.Store.Create(ctx, kept.Key(ObjectReceipt), bytes.NewReader(receipt.Bytes()))
	if storeErr == nil {
		storeErr = a.sealFile(file, func(body io.Reader) error {
			return SealInto(ctx, a.Store, a.Sealer, kept.Key(ObjectErrored), BindTo(receipt, ObjectErrored), body)
		})
	}
	if storeErr == nil {
		return fmt.Sprintf("before anything else is deployed, when the backend works again: `%s`", command), "", nil
	}
	spare = filepath.Join(in.SpareDir, fmt.Sprintf("errored-state-%s-%s-%s.sealed", receipt.Customer, receipt.Environment, receipt.Request))
	if err := a.spareFile(ctx, file, spare, receipt); err != nil {
		return "", "", fmt.Errorf("the state of %s/%s could be kept neither in the store nor in %s, and is lost with the run directory: %w", receipt.Customer, receipt.Environment, in.SpareDir, errors.Join(storeErr, err))
	}
	return fmt.Sprintf("keep the file %s (it is sealed; the store could not take it: %v) and, before anything else is deployed, when store and backend work again: `%s --file %s`", spare, storeErr, command, spare), spare, nil
}

func (a *Applier) sealFile(file string, to func(io.Reader) error) error {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return err
	}
	return errors.Join(to(f), f.Close())
}

func (a *Applier) spareFile(ctx context.Context, file, spare string, receipt Receipt) error {
	if err := os.MkdirAll(filepath.Dir(spare), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Clean(spare), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = a.sealFile(file, func(body io.Reader) error {
		// The receipt goes along: that of the plan may be gone from the store by then.
		if _, err := out.Write(append(receipt.Bytes(), '\n')); err != nil {
			return err
		}
		w, err := a.Sealer.Seal(ctx, out, BindTo(receipt, ObjectErrored))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, body)
		return errors.Join(err, w.Close())
	})
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// Recoverer brings a state back that an apply had to keep.
type Recoverer struct {
	Store  Store
	Sealer Sealer
	Engine StatePusher
	Now    func() time.Time
}

// Run opens the kept state of the newest planning that has one, or of in.File
// when that is not empty, and pushes it, once. The receipt vouches for it: customer,
// environment and backend must be those that the apply worked on.
func (r *Recoverer) Run(ctx context.Context, in RecoverInput) (StateVersion, error) {
	if err := os.MkdirAll(in.RunDir, 0o700); err != nil {
		return StateVersion{}, fmt.Errorf("create the run directory: %w", err)
	}
	plaintext := filepath.Join(in.RunDir, "kept.tfstate")
	open := r.open
	if in.File != "" {
		open = r.openFile
	}
	folder, receipt, err := open(ctx, in, plaintext)
	if err != nil {
		return StateVersion{}, err
	}
	if done, err := r.recovered(ctx, folder); err != nil || done != nil {
		if done != nil {
			return done.State, errors.Join(err, os.Remove(plaintext), r.appendLedger(ctx, in, receipt, done.State))
		}
		return StateVersion{}, err
	}
	job := Job{Customer: in.Customer, Environment: in.Environment, ManagerDir: in.ManagerDir, Dir: in.RunDir, Backend: in.Backend, Log: in.LogOrDiscard()}
	state, err := r.Engine.PushState(ctx, job, KeptState{File: plaintext, Planned: receipt.State, Unlock: in.Unlock})
	if err = errors.Join(err, os.Remove(plaintext)); err != nil {
		return state, err
	}
	err = Records{Store: r.Store, Sealer: r.Sealer}.CreateRecord(ctx, folder, ObjectRecovered, Recovered{State: state, Run: in.Run, At: r.Now().UTC()})
	if err != nil && !errors.Is(err, ErrExists) {
		return state, fmt.Errorf("the state is back, but that could not be recorded: %w", err)
	}
	return state, r.appendLedger(ctx, in, receipt, state)
}

// recovered returns the record of a state that was brought back before, or nil.
func (r *Recoverer) recovered(ctx context.Context, folder PlanAttempt) (*Recovered, error) {
	var done Recovered
	err := Records{Store: r.Store, Sealer: r.Sealer}.ReadRecord(ctx, folder, ObjectRecovered, &done)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, TamperedOr(err, fmt.Sprintf("the record %s, which says that the state is back,", folder.Key(ObjectRecovered)))
	}
	return &done, nil
}

// open finds the planning that the kept state belongs to and writes it in clear.
// It needs no request: that may be gone before somebody gets to it.
func (r *Recoverer) open(ctx context.Context, in RecoverInput, plaintext string) (PlanAttempt, Receipt, error) {
	target := fmt.Sprintf("%s/%s", in.Customer.Name, in.Environment)
	folders, err := r.folders(ctx, in.TargetInput)
	if err != nil {
		return PlanAttempt{}, Receipt{}, fmt.Errorf("look for the kept state of %s: %w", target, err)
	}
	for _, folder := range folders {
		receipt, err := DecodeReceipt(ctx, r.Store, folder)
		if err == nil {
			err = UnsealFile(ctx, r.Store, r.Sealer, folder.Key(ObjectErrored), BindTo(receipt, ObjectErrored), plaintext)
		}
		if errors.Is(err, ErrNotFound) {
			continue // an earlier planning may be the one
		}
		if err != nil {
			return PlanAttempt{}, Receipt{}, TamperedOr(err, "the kept state of "+target)
		}
		return folder, receipt, fits(receipt, in.TargetInput)
	}
	return PlanAttempt{}, Receipt{}, &UsageError{Message: fmt.Sprintf("request %s has no kept state for %s", in.Request.Short(), target), Next: "the message of the failed apply names the request; `--file` names a state that the store could not take"}
}

// fits compares the receipt of a kept state with the target that it is to go to.
func fits(receipt Receipt, in TargetInput) error {
	target := fmt.Sprintf("%s/%s", in.Customer.Name, in.Environment)
	switch {
	case receipt.Request != in.Request || receipt.Customer != in.Customer.Name || receipt.Environment != in.Environment:
		return &RefusedError{Reason: ReasonTampered, Message: fmt.Sprintf("the kept state of %s is one of %s/%s", target, receipt.Customer, receipt.Environment), Next: "find out who can write to the store"}
	case receipt.RepositoryID != in.Customer.RepositoryID:
		return &UsageError{Message: fmt.Sprintf("the kept state of %s is of repository id %d, but customer %s has %d", target, receipt.RepositoryID, in.Customer.Name, in.Customer.RepositoryID)}
	case receipt.Backend != in.Backend.String():
		return &RefusedError{Reason: ReasonStaleState, Message: fmt.Sprintf("the kept state of %s belongs to %s, and this run uses %s", target, receipt.Backend, in.Backend),
			Next: "run it with the manager and the store of that time"}
	}
	return nil
}

// folders are those that may hold a kept state or its receipt, the newest first:
// kept ones, and the plans, where it was kept by earlier versions.
func (r *Recoverer) folders(ctx context.Context, in TargetInput) ([]PlanAttempt, error) {
	var folders []PlanAttempt
	for _, prefix := range []string{KeptRequestPrefix(in.Customer.Name, in.Environment, in.Request), PlansPrefix(in.Customer.Name, in.Environment, in.Request)} {
		keys, err := r.Store.List(ctx, prefix)
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Backward(keys) {
			if folder, ok := strings.CutSuffix(key, ObjectReceipt); ok {
				folders = append(folders, PlanAttempt{Customer: in.Customer.Name, Environment: in.Environment, Prefix: folder})
			}
		}
	}
	return folders, nil
}

// maxReceipt is far more than a receipt has.
const maxReceipt = 64 << 10

// openFile reads a state that the store could not take: its receipt in the first
// line, and then what that vouches for. Nothing of it needs the store, from which
// the plan may be gone.
func (r *Recoverer) openFile(ctx context.Context, in RecoverInput, plaintext string) (PlanAttempt, Receipt, error) {
	f, err := os.Open(filepath.Clean(in.File))
	if err != nil {
		return PlanAttempt{}, Receipt{}, &UsageError{Message: "--file " + in.File, Err: err}
	}
	receipt, err := r.unsealSpare(ctx, f, plaintext)
	if err = errors.Join(err, f.Close()); err != nil {
		return PlanAttempt{}, Receipt{}, TamperedOr(err, "the kept state in "+in.File)
	}
	if err := fits(receipt, in.TargetInput); err != nil {
		return PlanAttempt{}, Receipt{}, err
	}
	folders, err := r.folders(ctx, in.TargetInput)
	if err != nil {
		return PlanAttempt{}, Receipt{}, fmt.Errorf("look for the plan of %s: %w", in.File, err)
	}
	for _, folder := range folders {
		if stored, err := DecodeReceipt(ctx, r.Store, folder); err == nil && stored.Digest() == receipt.Digest() {
			return folder, receipt, nil
		}
	}
	return PlanAttempt{Customer: receipt.Customer, Environment: receipt.Environment, Prefix: KeptRequestPrefix(receipt.Customer, receipt.Environment, receipt.Request) + receipt.Code() + "/"}, receipt, nil
}

func (r *Recoverer) unsealSpare(ctx context.Context, file io.Reader, plaintext string) (Receipt, error) {
	lines := bufio.NewReaderSize(file, maxReceipt)
	line, err := lines.ReadSlice('\n')
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: it does not begin with a receipt", ErrTampered)
	}
	receipt, err := ParseReceipt(line)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	sealed, err := r.Sealer.Unseal(ctx, lines, BindTo(receipt, ObjectErrored))
	if err != nil {
		return Receipt{}, err
	}
	out, err := os.OpenFile(filepath.Clean(plaintext), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return Receipt{}, err
	}
	_, err = io.Copy(out, sealed)
	return receipt, errors.Join(err, out.Close())
}

// KeptStates returns the requests whose state waits to be brought back, out of the
// keys of one target, in their order.
func KeptStates(keys []string) []string {
	var kept []string
	for _, key := range keys {
		folder, ok := strings.CutSuffix(key, ObjectErrored)
		if parts := strings.Split(key, "/"); ok && len(parts) == 6 && !slices.Contains(keys, folder+ObjectRecovered) {
			kept = append(kept, parts[3])
		}
	}
	return kept
}
