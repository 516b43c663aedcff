package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ObjectOutputs are the outputs that a plan shows, in the folder of its attempt: for the
// stacks of the same pull request that need them.
const ObjectOutputs = "outputs.sealed"

// resealedAs stands in the names of outputs that were sealed again, behind the name of those
// that they were made of: they come after those, and before all that an apply writes later.
const resealedAs = "-rekeyed-"

// openEnding is that of the mark of an apply that has not said yet what it has left.
const openEnding = ".open"

// sealedEnding is that of records which are sealed whole, since they hold secrets.
const sealedEnding = ".sealed"

// OutputsPrefix holds the outputs that a target has now; the newest record counts.
func OutputsPrefix(t pipeline.Target) string { return t.Folder() + "/outputs/" }

// LeftOutputs are the outputs that a target has, as its newest apply has left them or its
// newest plan without changes has found them.
type LeftOutputs struct {
	Request pipeline.RequestID
	// RepositoryID is the repository that the target belonged to.
	RepositoryID int64
	// Receipt is the digest of the receipt of that plan.
	Receipt string
	At      time.Time
	Values  []pipeline.OutputValue // all of them are known

	key string // that LoadOutputs read them from
}

// Same reports whether both are the record of the same end of the same request.
func (l LeftOutputs) Same(other LeftOutputs) bool {
	a, errA := pipeline.EncodeOutputs(l.Values)
	b, errB := pipeline.EncodeOutputs(other.Values)
	return errA == nil && errB == nil && bytes.Equal(a, b) && l.RepositoryID == other.RepositoryID && l.Request == other.Request && l.Receipt == other.Receipt
}

// storedOutputs is the stored form. The values are the text of EncodeOutputs.
type storedOutputs struct {
	Target       pipeline.Target    `json:"target"`
	RepositoryID int64              `json:"repository_id"`
	Request      pipeline.RequestID `json:"request"`
	Receipt      string             `json:"receipt"`
	At           time.Time          `json:"at"`
	Outputs      json.RawMessage    `json:"outputs"`
}

// plannedBinding ties the outputs of a plan to its receipt.
func plannedBinding(receipt pipeline.Receipt) pipeline.Binding {
	to := pipeline.BindTo(receipt, ObjectOutputs)
	to.Kind = pipeline.SealOfOutputs
	return to
}

// leftBinding ties the outputs of a target to the target and to their key.
func leftBinding(t pipeline.Target, key string) pipeline.Binding {
	return pipeline.Binding{Target: t, Kind: pipeline.SealOfOutputs, Data: []byte("metapipe outputs\x00" + key)}
}

// SealPlannedOutputs writes the outputs that a plan shows.
func SealPlannedOutputs(ctx context.Context, s Records, folder PlanAttempt, receipt pipeline.Receipt, outputs []pipeline.OutputValue) error {
	b, err := pipeline.EncodeOutputs(outputs)
	if err != nil {
		return err
	}
	return SealInto(ctx, s.Store, s.Sealer, folder.Key(ObjectOutputs), plannedBinding(receipt), bytes.NewReader(b))
}

// OpenPlannedOutputs opens the outputs that a plan shows; ErrNotFound where it kept none.
func OpenPlannedOutputs(ctx context.Context, s Records, folder PlanAttempt, receipt pipeline.Receipt) ([]pipeline.OutputValue, error) {
	b, err := UnsealBytes(ctx, s.Store, s.Sealer, folder.Key(ObjectOutputs), plannedBinding(receipt))
	if err != nil {
		return nil, err
	}
	return parsedOutputs(b)
}

// parsedOutputs reads outputs out of an object that is authentic.
func parsedOutputs(b []byte) ([]pipeline.OutputValue, error) {
	outputs, err := pipeline.ParseOutputs(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", pipeline.ErrTampered, err)
	}
	return outputs, nil
}

// NoteOutputs writes the outputs that a target has now, and removes the older ones. The new
// ones come first, so that there are some at any time.
func NoteOutputs(ctx context.Context, s Records, t pipeline.Target, left LeftOutputs) error {
	older, err := s.List(ctx, OutputsPrefix(t))
	if err != nil {
		return err
	}
	if err := SealOutputs(ctx, s, t, left, older); err != nil {
		return err
	}
	return deleteAll(ctx, s, older)
}

// OpenOutputs writes a mark, from which on the outputs of a target are not known: an apply is
// about to change them. NoteOutputs and ForgetOutputs remove it. An apply that has changed
// nothing deletes the key, and one that is killed leaves it.
func OpenOutputs(ctx context.Context, s pipeline.Store, t pipeline.Target, request pipeline.RequestID, now time.Time) (key string, err error) {
	older, err := s.List(ctx, OutputsPrefix(t))
	if err != nil {
		return "", err
	}
	key = OutputsPrefix(t) + behind(older, now.UTC(), sealedEnding, openEnding).Format(LastApplyTimes) + "-" + string(request) + openEnding
	return key, s.Create(ctx, key, strings.NewReader("{}\n"))
}

// SealOutputs writes outputs that are on record once more, for another target, and removes
// nothing. older are the keys below OutputsPrefix of t that it comes behind. They are listed
// before the caller looks whether it may write: what an apply leaves after that counts.
func SealOutputs(ctx context.Context, s Records, t pipeline.Target, left LeftOutputs, older []string) error {
	at := behind(older, left.At.UTC(), sealedEnding, openEnding)
	return left.sealAs(ctx, s, t, OutputsPrefix(t)+at.Format(LastApplyTimes)+"-"+string(left.Request)+sealedEnding, at)
}

// ResealOutputs writes outputs of LoadOutputs once more, under another key of the fleet, and
// removes nothing. They count for as long as those that they were made of are there.
func ResealOutputs(ctx context.Context, s Records, t pipeline.Target, left LeftOutputs, now time.Time) error {
	of, _, _ := strings.Cut(left.key, resealedAs)
	return left.sealAs(ctx, s, t, of+resealedAs+now.UTC().Format(LastApplyTimes)+sealedEnding, left.At)
}

func (l LeftOutputs) sealAs(ctx context.Context, s Records, t pipeline.Target, key string, at time.Time) error {
	outputs, err := pipeline.EncodeOutputs(l.Values)
	if err != nil {
		return err
	}
	b, err := json.Marshal(storedOutputs{Target: t, RepositoryID: l.RepositoryID, Request: l.Request, Receipt: l.Receipt, At: at, Outputs: outputs})
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return SealInto(ctx, s.Store, s.Sealer, key, leftBinding(t, key), bytes.NewReader(b))
}

// newestOutputs is the key of the record that counts; empty where none does. One that was
// sealed again without those that it was made of does not: an apply has taken their place, or
// has made them unknown, in the meantime. None counts behind the mark of an apply.
func newestOutputs(keys []string) string {
	for _, key := range slices.Backward(keys) {
		if strings.HasSuffix(key, openEnding) {
			return ""
		}
		if of, _, again := strings.Cut(key, resealedAs); !again || slices.Contains(keys, of) {
			return key
		}
	}
	return ""
}

// LoadOutputs returns the outputs that a target has; found is false where none are on
// record. What someone else wrote there, or moved there, is ErrTampered.
func LoadOutputs(ctx context.Context, s Records, t pipeline.Target) (left LeftOutputs, found bool, err error) {
	fail := func(err error) (LeftOutputs, bool, error) {
		return LeftOutputs{}, false, fmt.Errorf("read the outputs of %s: %w", t, err)
	}
	keys, err := s.List(ctx, OutputsPrefix(t))
	if err != nil {
		return fail(err)
	}
	key := newestOutputs(keys)
	if key == "" {
		return LeftOutputs{}, false, nil
	}
	b, err := UnsealBytes(ctx, s.Store, s.Sealer, key, leftBinding(t, key))
	if errors.Is(err, pipeline.ErrNotFound) { // a newer record has just taken its place
		err = fmt.Errorf("%s was removed meanwhile: run this again", key)
	}
	if err != nil {
		return fail(err)
	}
	var stored storedOutputs
	if err := pipeline.DecodeKnown(b, &stored); err != nil {
		return fail(fmt.Errorf("%s: %w: %w", key, pipeline.ErrTampered, err))
	}
	if stored.Target != t {
		return fail(fmt.Errorf("%s: %w: the outputs are of %s", key, pipeline.ErrTampered, stored.Target))
	}
	values, err := parsedOutputs(stored.Outputs)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", key, err))
	}
	return LeftOutputs{RepositoryID: stored.RepositoryID, Request: stored.Request, Receipt: stored.Receipt, At: stored.At, Values: values, key: key}, true, nil
}

// ForgetOutputs removes the outputs of a target whose state is not the one any more that
// they were read from. The next plan of the target without changes, or its next apply,
// writes them again.
func ForgetOutputs(ctx context.Context, s pipeline.Store, t pipeline.Target) error {
	keys, err := s.List(ctx, OutputsPrefix(t))
	if err != nil {
		return fmt.Errorf("look for the outputs of %s: %w", t, err)
	}
	return deleteAll(ctx, s, keys)
}
