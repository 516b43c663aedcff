package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// lastApply is the record of the newest apply of a target that went well. It lies
// where it is found without going through the history of the target, and with the
// variables beside it, since it outlasts the plan.
type lastApply struct {
	Receipt   Receipt `json:"receipt"`
	Variables string  `json:"variables"` // key of the sealed variables.yml
	// Path is the directory of variables.yml in the customer's repository; empty in
	// records of earlier versions.
	Path  string    `json:"path,omitempty"`
	Actor string    `json:"actor,omitempty"`
	Run   Run       `json:"run"`
	At    time.Time `json:"at"`
	// State is what the apply left in the backend, or what was accepted since; nil in
	// records of earlier versions.
	State *StateRecord `json:"state,omitempty"`
	// Accepted says who set State by hand; nil where the apply did.
	Accepted *Acceptance `json:"accepted,omitempty"`
}

// Acceptance is the decision of an operator to go on with a state as it is.
type Acceptance struct {
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// lastApplyTimes is the time at the beginning of the names of the records.
const lastApplyTimes = "20060102T150405.000000000Z"

// lastApplyRecord is to whom a record of the last apply belongs.
func lastApplyRecord(c CustomerName, env Environment) planAttempt {
	return planAttempt{customer: c, env: env}
}

func lastApplyPrefix(c CustomerName, env Environment) string {
	return fmt.Sprintf("%s/%s/applied/", c, env)
}

// lastApplyBase is the name of a record and of its variables, without the ending: they
// come in the order of their times.
func lastApplyBase(c CustomerName, env Environment, at time.Time, id RequestID) string {
	return lastApplyPrefix(c, env) + at.UTC().Format(lastApplyTimes) + "-" + string(id)
}

// seal writes a record and its variables anew under base. The variables come first: a
// record without them never stands.
func (l lastApply) seal(ctx context.Context, s records, base string, variables []byte) error {
	l.Variables = base + ".variables"
	if err := sealInto(ctx, s, s.Sealer, l.Variables, binding(l.Receipt, objectVariables), bytes.NewReader(variables)); err != nil {
		return err
	}
	return s.create(ctx, lastApplyRecord(l.Receipt.Customer, l.Receipt.Environment), base+".json", l)
}

// noteLastApply writes the record and removes the older ones. The new one comes
// first, so that there is one at any time.
func noteLastApply(ctx context.Context, s records, request Request, folder planAttempt, ended Result, left *StateRecord) error {
	receipt, _, err := readReceipt(ctx, s, folder)
	if err != nil {
		return err
	}
	older, err := s.List(ctx, lastApplyPrefix(receipt.Customer, receipt.Environment))
	if err != nil {
		return err
	}
	base := lastApplyBase(receipt.Customer, receipt.Environment, ended.At, request.ID)
	sealed, err := s.Open(ctx, folder.key(objectVariables))
	if err != nil {
		return err
	}
	err = s.Create(ctx, base+".variables", sealed)
	if err = errors.Join(err, sealed.Close()); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	key := base + ".json" // comes before its variables
	record := lastApply{Receipt: receipt, Variables: base + ".variables", Path: path.Dir(request.File), Actor: request.Actor, Run: ended.Run, At: ended.At, State: left}
	if err := s.create(ctx, lastApplyRecord(receipt.Customer, receipt.Environment), key, record); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	for _, k := range older {
		if k < key {
			err = errors.Join(err, s.Delete(ctx, k))
		}
	}
	return err
}

// loadLastApply returns the record, and false where metapipe applied nothing yet.
func loadLastApply(ctx context.Context, s records, c CustomerName, env Environment) (lastApply, bool, error) {
	fail := func(err error) (lastApply, bool, error) {
		return lastApply{}, false, fmt.Errorf("look for the last apply of %s/%s: %w", c, env, err)
	}
	keys, err := s.List(ctx, lastApplyPrefix(c, env))
	if err != nil {
		return fail(err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasSuffix(key, ".json") })
	if len(keys) == 0 {
		return lastApply{}, false, nil
	}
	var record lastApply
	key := keys[len(keys)-1]
	if err = s.read(ctx, lastApplyRecord(c, env), key, &record); err != nil {
		return fail(err)
	}
	if record.Receipt.Customer != c || record.Receipt.Environment != env || !strings.HasPrefix(record.Variables, lastApplyPrefix(c, env)) {
		return fail(fmt.Errorf("%w: the record is of %s/%s", ErrTampered, record.Receipt.Customer, record.Receipt.Environment))
	}
	return record, true, nil
}

// variables opens the variables.yml that was applied.
func (l lastApply) variables(ctx context.Context, s Store, sealer Sealer) ([]byte, error) {
	return unsealBytes(ctx, s, sealer, l.Variables, binding(l.Receipt, objectVariables))
}

func (l lastApply) forDrift() *DriftLastApply {
	r := l.Receipt
	return &DriftLastApply{Request: r.Request, Commit: r.Commit, Blob: r.Blob, ManagerCommit: r.ManagerCommit, Actor: l.Actor, RunURL: l.Run.URL, At: l.At}
}
