package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Records is a store together with what authenticates its small records: requests, how
// a plan or an apply began and ended, what was applied last, and what scans remember.
// They decide what customers read, in which order environments come, whether a
// plan is used and which runs are cancelled, so none is believed that was not written
// with the key, for this very place.
//
// A record stays readable; its seal is an empty object under the Sealer, bound to
// the key path and the content. What belongs to a record and may not be read by everyone is
// attached to it, sealed for that very record:
//
//	{"record": {…}, "seal": "<base64>", "attached": "<base64>"}
type Records struct {
	pipeline.Store
	pipeline.Sealer
}

// Reader reads records. There are two: records verifies each of them, and UnverifiedReader,
// which is for `unlock` alone, does not.
type Reader interface {
	pipeline.Store
	// ReadRecord decodes the record of p that is called object into into.
	ReadRecord(ctx context.Context, p PlanAttempt, object string, into any) error
	// readAttached is ReadRecord with what is attached to the record, which UnverifiedReader leaves out.
	readAttached(ctx context.Context, p PlanAttempt, object string, into any) (Attached, error)
}

// UnverifiedReader reads records without a key. `unlock` asks it whose run took a lock:
// who can forge the answer can remove the lock itself.
type UnverifiedReader struct{ pipeline.Store }

// FleetName is the owner of records that belong to no customer; no customer can have
// the name.
const FleetName pipeline.CustomerName = "_metapipe"

// fleetRoot holds those records.
const fleetRoot = string(FleetName) + "/"

// signedRecord is the stored form.
type signedRecord struct {
	Record   json.RawMessage `json:"record"`
	Seal     []byte          `json:"seal"`
	Attached []byte          `json:"attached,omitempty"`
}

// Attached is what is sealed with a record.
type Attached struct {
	key    string // of the record
	sealed []byte
	to     pipeline.Binding
}

// Text returns it in clear. It is ErrTampered where nothing is attached, or what belongs to
// another record.
func (a Attached) Text(ctx context.Context, sealer pipeline.Sealer) ([]byte, error) {
	if len(a.sealed) == 0 {
		return nil, fmt.Errorf("%s: %w: what is attached to it is gone", a.key, pipeline.ErrTampered)
	}
	plaintext, err := sealer.Unseal(ctx, bytes.NewReader(a.sealed), a.to)
	var b []byte
	if err == nil {
		b, err = io.ReadAll(plaintext)
	}
	if err != nil {
		return nil, fmt.Errorf("open what is attached to %s: %w", a.key, err)
	}
	return b, nil
}

// recordBinding ties a record to its place and content. An apply reads how the
// environments before its own ended: that it is a record is a part of the binding, so
// that a role can open the records of other environments and nothing else of them.
func (p PlanAttempt) recordBinding(key string, content []byte) pipeline.Binding {
	kind := pipeline.SealOfRecord
	if p.entries {
		kind = pipeline.SealOfEntry
	}
	return pipeline.Binding{Target: p.Target, Kind: kind, Data: append([]byte("metapipe record\x00"+key+"\x00"), content...)}
}

// attachedBinding ties what is attached to a record to its place and content. It is of no kind:
// a role that may open the records of other environments opens nothing that is attached to them.
func (p PlanAttempt) attachedBinding(key string, content []byte) pipeline.Binding {
	return pipeline.Binding{Target: p.Target, Data: append([]byte("metapipe attached\x00"+key+"\x00"), content...)}
}

// CreateRecord writes a record with its seal. A taken key is ErrExists.
func (s Records) CreateRecord(ctx context.Context, p PlanAttempt, object string, value any) error {
	return s.CreateAttached(ctx, p, object, value, nil)
}

// CreateAttached is CreateRecord with a text that is attached to the record, unless it is nil.
func (s Records) CreateAttached(ctx context.Context, p PlanAttempt, object string, value any, text []byte) error {
	b, err := s.sign(ctx, p, object, value, text)
	if err == nil {
		err = checkSize(p.Key(object), len(b))
	}
	if err != nil {
		return err
	}
	return s.Create(ctx, p.Key(object), bytes.NewReader(b))
}

// Sign returns the stored form of a record.
func (s Records) Sign(ctx context.Context, p PlanAttempt, object string, value any) ([]byte, error) {
	return s.sign(ctx, p, object, value, nil)
}

func (s Records) sign(ctx context.Context, p PlanAttempt, object string, value any, text []byte) ([]byte, error) {
	key := p.Key(object)
	content, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", key, err)
	}
	stored := signedRecord{Record: content}
	if stored.Seal, err = s.sealBytes(ctx, p.recordBinding(key, content), nil); err == nil && text != nil {
		stored.Attached, err = s.sealBytes(ctx, p.attachedBinding(key, content), text)
	}
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", key, err)
	}
	return encode(key, stored)
}

func (s Records) sealBytes(ctx context.Context, to pipeline.Binding, text []byte) ([]byte, error) {
	var sealed bytes.Buffer
	w, err := s.Seal(ctx, &sealed, to)
	if err == nil {
		_, err = w.Write(text)
		err = errors.Join(err, w.Close())
	}
	return sealed.Bytes(), err
}

// Unsigned returns the stored form of a record without a seal. No reader of records believes
// it; a ledger tells such entries apart.
func Unsigned(key string, value any) ([]byte, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", key, err)
	}
	return encode(key, signedRecord{Record: content})
}

// ReadRecord reads a record. One that was changed, moved here or made without the key is
// ErrTampered, one under a key that is
// not at hand ErrUnknownKey; into is untouched then.
func (s Records) ReadRecord(ctx context.Context, p PlanAttempt, object string, into any) error {
	_, err := s.readAttached(ctx, p, object, into)
	return err
}

func (s Records) readAttached(ctx context.Context, p PlanAttempt, object string, into any) (Attached, error) {
	key := p.Key(object)
	b, err := readAll(ctx, s.Store, key)
	if err != nil {
		return Attached{}, err
	}
	content, sealed, err := s.verify(ctx, p, key, b)
	if err != nil {
		return Attached{}, err
	}
	if err := pipeline.DecodeExact(content, into); err != nil {
		return Attached{}, fmt.Errorf("decode %s: %w", key, err)
	}
	return Attached{key: key, sealed: sealed, to: p.attachedBinding(key, content)}, nil
}

// Verify checks the seal of the stored form b of a record and returns what it authenticates.
// Its errors are those of ReadRecord.
func (s Records) Verify(ctx context.Context, p PlanAttempt, object string, b []byte) ([]byte, error) {
	content, _, err := s.verify(ctx, p, p.Key(object), b)
	return content, err
}

func (s Records) verify(ctx context.Context, p PlanAttempt, key string, b []byte) (record, attached []byte, err error) {
	var stored signedRecord
	var content bytes.Buffer
	if err = pipeline.DecodeExact(b, &stored); err == nil {
		err = json.Compact(&content, stored.Record)
	}
	if err != nil || len(stored.Seal) == 0 {
		return nil, nil, fmt.Errorf("%s: %w: it carries no seal", key, pipeline.ErrTampered)
	}
	plaintext, err := s.Unseal(ctx, bytes.NewReader(stored.Seal), p.recordBinding(key, content.Bytes()))
	if err == nil {
		_, err = io.Copy(io.Discard, plaintext)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", key, err)
	}
	return content.Bytes(), stored.Attached, nil
}

// Content is the record in its stored form b, which nothing has verified.
func Content(b []byte) ([]byte, error) {
	var stored signedRecord
	if err := pipeline.DecodeExact(b, &stored); err != nil {
		return nil, err
	}
	return stored.Record, nil
}

// ReadRecord implements Reader and verifies nothing.
func (u UnverifiedReader) ReadRecord(ctx context.Context, p PlanAttempt, object string, into any) error {
	_, err := u.readAttached(ctx, p, object, into)
	return err
}

func (u UnverifiedReader) readAttached(ctx context.Context, p PlanAttempt, object string, into any) (Attached, error) {
	key := p.Key(object)
	b, err := readAll(ctx, u.Store, key)
	if err != nil {
		return Attached{}, err
	}
	content, err := Content(b)
	if err == nil {
		err = pipeline.DecodeExact(content, into)
	}
	if err != nil {
		return Attached{}, fmt.Errorf("decode %s: %w", key, err)
	}
	return Attached{}, nil
}

// isDoubted reports whether an error says that a record cannot be believed with the keys at hand.
func isDoubted(err error) bool {
	return errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrUnknownKey)
}

// Doubted is how a target stands whose record cannot be believed: not as that
// record says. applying: an apply has begun. False when err is of another kind.
func Doubted(err error, applying bool) (Result, bool) {
	switch {
	case errors.Is(err, pipeline.ErrUnknownKey):
		e := Result{
			Outcome:  pipeline.OutcomeRefused,
			Reason:   pipeline.ReasonUnknownKey,
			Message:  otherKeyMessage + ", so this plan was not applied",
			Next:     otherKeyNext,
			Detail:   err.Error(),
			Operator: RekeyNext,
		}
		if applying { // it may have changed something
			e.Outcome, e.Message = pipeline.OutcomeFailed, "how the apply ended is recorded under another key of your service provider, so it cannot be shown here"
		}
		return e, true
	case errors.Is(err, pipeline.ErrTampered):
		return Result{
			Outcome:  pipeline.OutcomeFailed,
			Reason:   pipeline.ReasonTampered,
			Message:  "the record of the result in the store has no valid signature: someone else or an older version wrote it",
			Next:     pipeline.TamperedNext,
			Operator: pipeline.TamperedFinder,
		}, true
	}
	return Result{}, false
}

// A customer can do nothing about a key of the provider, so that is what they read. What
// was applied before, only the caller can say.
const (
	otherKeyMessage = "your service provider has changed an encryption key, and a record of this request is under the old one"
	otherKeyNext    = "you have nothing to do but wait: your service provider runs this again, or asks you to push again"
)

// Fail derives the record of a failed plan or apply from its error.
func (e *Result) Fail(ctx context.Context, mode pipeline.Mode, err error) {
	var refused *pipeline.RefusedError
	var rejected *pipeline.RejectedError
	var failed *pipeline.FailedError
	e.Outcome, e.Message, e.Internal = pipeline.OutcomeFailed, err.Error(), false
	switch {
	case errors.As(err, &refused):
		e.Outcome, e.Reason, e.Message, e.Next = pipeline.OutcomeRefused, refused.Reason, refused.Message, refused.Next
		e.Detail, e.Operator, e.Newer = refused.Detail, refused.Operator, refused.Newer
		switch refused.Reason {
		case pipeline.ReasonSuperseded:
			e.Outcome = pipeline.OutcomeSuperseded
		case pipeline.ReasonExpired:
			e.Outcome = pipeline.OutcomeExpired
		}
	case errors.As(err, &rejected):
		e.Outcome, e.Reason, e.Message, e.Next = pipeline.OutcomeRejected, rejected.Reason, rejected.Message, rejected.Next
	case ctx.Err() != nil:
		e.Outcome, e.Message = pipeline.OutcomeCancelled, "the job was cancelled"
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			e.Message = "the job ran out of time"
		}
		e.Next = mode.Afresh()
	case errors.As(err, &failed):
		e.Message, e.Next, e.Operator = failed.Message, failed.Next, failed.Operator
		if len(e.Diagnostics) == 0 {
			e.Diagnostics = failed.Diagnostics
		}
	default:
		e.Internal = true
		// Such an error is about the manager's own places, and so is its advice.
		if message, advice, found := strings.Cut(e.Message, "\n→ "); found {
			e.Message, e.Next, e.Operator = message, pipeline.ProviderNext, advice
		}
	}
}

// TamperedOr turns an authentication failure into its refusal.
func TamperedOr(err error, what string) error {
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return &pipeline.RefusedError{Reason: pipeline.ReasonUnknownKey, Message: otherKeyMessage + ", so this step has changed nothing", Next: otherKeyNext,
			Detail: fmt.Sprintf("%s cannot be opened: %v", what, err), Operator: RekeyNext}
	}
	if errors.Is(err, pipeline.ErrTampered) {
		return &pipeline.RefusedError{Reason: pipeline.ReasonTampered, Message: what + " is not what was stored: it was changed",
			Next: pipeline.TamperedNext, Operator: pipeline.TamperedFinder}
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// RekeyNext is what the operator does about a record under a key that is not at hand.
const RekeyNext = "add the key of that id behind the first one, run `metapipe rekey`, and run this again; where the key is gone, see docs/RECOVERY.md, \"METAPIPE_KEY has leaked\""
