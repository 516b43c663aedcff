package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// records is a store together with what vouches for its small records: how a plan
// or an apply began and ended, and what was applied last. They decide what customers
// are told, in which order environments come, and whether a plan is used, so none is
// believed that was not written with the key, for this very place.
//
// A record stays readable; its seal is an empty object under the Sealer, bound to
// the key path and the content:
//
//	{"record": {…}, "seal": "<base64>"}
type records struct {
	Store
	Sealer
}

// vouchedRecord is the stored form.
type vouchedRecord struct {
	Record json.RawMessage `json:"record"`
	Seal   []byte          `json:"seal"`
}

// recordBinding ties a record to its place and content. It names no environment:
// the key path does, and an apply reads how the environments before its own ended,
// whose data keys of KMS are not for its role.
func recordBinding(c CustomerName, key string, content []byte) Binding {
	return Binding{Customer: c, Data: append([]byte("metapipe record\x00"+key+"\x00"), content...)}
}

// create writes a record of a planning with its seal. A taken key is ErrExists.
func (r records) create(ctx context.Context, p planning, object string, value any) error {
	key := p.key(object)
	content, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	var seal bytes.Buffer
	w, err := r.Seal(ctx, &seal, recordBinding(p.customer, key, content))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("vouch for %s: %w", key, err)
	}
	return createJSON(ctx, r.Store, key, vouchedRecord{Record: content, Seal: seal.Bytes()})
}

// read reads a record of a planning. One that was changed, moved here, made without
// the key or by a version that did not vouch is ErrTampered, one under a key that is
// not at hand ErrUnknownKey; into is untouched then.
func (r records) read(ctx context.Context, p planning, object string, into any) error {
	key := p.key(object)
	b, err := readAll(ctx, r.Store, key)
	if err != nil {
		return err
	}
	var stored vouchedRecord
	var content bytes.Buffer
	if err = json.Unmarshal(b, &stored); err == nil {
		err = json.Compact(&content, stored.Record)
	}
	if err != nil || len(stored.Seal) == 0 {
		return fmt.Errorf("%s: %w: nothing vouches for it", key, ErrTampered)
	}
	clear, err := r.Unseal(ctx, bytes.NewReader(stored.Seal), recordBinding(p.customer, key, content.Bytes()))
	if err == nil {
		_, err = io.Copy(io.Discard, clear)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if err := json.Unmarshal(content.Bytes(), into); err != nil {
		return fmt.Errorf("decode %s: %w", key, err)
	}
	return nil
}

// peekRecord reads a record that nobody need vouch for: to whose run a lock leads.
// That is asked without a key, too; who can forge the answer can remove the lock itself.
func peekRecord(ctx context.Context, s Store, key string, into any) error {
	var stored vouchedRecord
	if err := readJSON(ctx, s, key, &stored); err != nil {
		return err
	}
	if stored.Record == nil {
		return readJSON(ctx, s, key, into) // of an earlier version
	}
	if err := json.Unmarshal(stored.Record, into); err != nil {
		return fmt.Errorf("decode %s: %w", key, err)
	}
	return nil
}

// doubted is how a target stands whose record cannot be believed: not as that
// record says. False when err is of another kind.
func doubted(err error) (Ended, bool) {
	const next = "find out who can write to the store; then push again to get a fresh plan"
	switch {
	case errors.Is(err, ErrUnknownKey):
		return Ended{Outcome: OutcomeFailed, Reason: ReasonUnknownKey, Message: "how it ended is recorded under a key that is not at hand",
			Next: "add the key of that id behind the first one and report again; where it is gone, push again"}, true
	case errors.Is(err, ErrTampered):
		return Ended{Outcome: OutcomeFailed, Reason: ReasonTampered, Message: "the record in the store of how it ended is not ours: somebody else wrote it, or an older version did", Next: next}, true
	}
	return Ended{}, false
}
