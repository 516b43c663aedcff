package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The objects of one planning of a target, in its numbered folder. The record of its
// end, planned.json, holds the receipt: it is written after everything that the receipt
// authenticates.
const (
	ObjectStart     = "begun.json"
	ObjectReceipt   = "receipt.json"         // of a kept state, beside it
	ObjectPlanned   = "planned.json"         // with the model of the plan attached: what may be shown of it
	ObjectErrored   = "errored-state.sealed" // a state that could not be written
	ObjectRecovered = "recovered.json"       // it is in its backend again
)

// StartRecord records that a job has started to plan a target.
type StartRecord struct {
	Run pipeline.Run `json:"run"`
	At  time.Time    `json:"at"`
	// Host is the machine of the job. The tool writes it into the locks that it
	// takes, which is how a lock leads to its run.
	Host string `json:"host,omitempty"`
}

// Result records how a plan or an apply ended.
type Result struct {
	Outcome pipeline.Outcome `json:"outcome"`
	Reason  pipeline.Reason  `json:"reason,omitempty"`
	Message string           `json:"message,omitempty"`
	Next    string           `json:"next,omitempty"`
	// Detail and Operator are those of RefusedError: customers do not read them.
	Detail   string `json:"detail,omitempty"`
	Operator string `json:"operator,omitempty"`
	// Newer is the request that took the place of this one, where it was superseded. A lost
	// verdict about the two is made anew of it.
	Newer pipeline.RequestID `json:"newer,omitempty"`
	// Internal: the message is that of an error on the way, such as a store's, and
	// speaks of the manager's own places.
	Internal    bool                       `json:"internal,omitempty"`
	Reviewed    pipeline.Reviewed          `json:"reviewed,omitempty"`
	Diagnostics []pipeline.Diagnostic      `json:"diagnostics,omitempty"`
	Done        []pipeline.AppliedResource `json:"done,omitempty"`
	Outputs     []pipeline.Output          `json:"outputs,omitempty"`
	Composed    pipeline.Composition       `json:"composed,omitzero"`
	Run         pipeline.Run               `json:"run"`
	At          time.Time                  `json:"at"`
	// Receipt is what a plan was made from; nil in the result of a plan that was not kept, and of
	// an apply after which the plan can be applied still or which could not read it.
	Receipt *pipeline.Receipt `json:"receipt,omitempty"`
	// Ledger is the entry that is about to say the same of an apply in the ledger. nil: the ledger has
	// to be looked through for it.
	Ledger *pipeline.LedgerHead `json:"ledger,omitempty"`
	// Retryable: an apply that ended before it could change anything, for a reason
	// that does not lie in the plan. That can be applied still.
	Retryable bool `json:"retryable,omitempty"`
	// Revoked: no apply has ended so; a newer request or the sweep has taken the plan out of use.
	Revoked bool `json:"revoked,omitempty"`

	attached Attached
}

// OpenModel returns the model of the plan whose receipt the result holds.
func (e Result) OpenModel(ctx context.Context, sealer pipeline.Sealer) ([]byte, error) {
	return e.attached.Text(ctx, sealer)
}

// PlanAttempt names the numbered folder of one planning. Records that lie elsewhere have
// no prefix: their object is the whole key.
type PlanAttempt struct {
	pipeline.Target
	Prefix string
	// Objects are those that the folder held when it was looked up.
	Objects []string
	entries bool // the records are entries of a ledger
}

// LedgerOf is where the entries of a ledger belong.
func LedgerOf(t pipeline.Target) PlanAttempt { return PlanAttempt{Target: t, entries: true} }

// Has reports whether the folder held the object when it was listed.
func (p PlanAttempt) Has(object string) bool { return slices.Contains(p.Objects, object) }

// Key is the key of an object of the folder.
func (p PlanAttempt) Key(object string) string { return p.Prefix + object }

// NewPlanAttempt claims the next number. Two claims at once get different numbers,
// since begun.json is write-once. The first attempt of a run finds number 1 free in most cases,
// so it looks for others only where it is taken.
func NewPlanAttempt(ctx context.Context, s Records, request pipeline.Request, t pipeline.Target, begun StartRecord) (PlanAttempt, error) {
	n, look := 1, begun.Run.Attempt > 1
	for ; ; n++ {
		if look {
			last, _, err := lastPlanAttempt(ctx, s, request, t)
			if err != nil {
				return PlanAttempt{}, err
			}
			n = max(n, last+1)
		}
		p := PlanAttempt{Target: t, Prefix: folderOf(request, t, n)}
		err := s.CreateRecord(ctx, p, ObjectStart, begun)
		if errors.Is(err, pipeline.ErrExists) {
			look = n == 1
			continue
		}
		if err != nil {
			return PlanAttempt{}, fmt.Errorf("begin the plan of %s: %w", t, err)
		}
		return p, nil
	}
}

// LatestPlanAttempt returns the newest planning that was begun; found is false when
// there is none.
func LatestPlanAttempt(ctx context.Context, s pipeline.Store, request pipeline.Request, t pipeline.Target) (p PlanAttempt, found bool, err error) {
	n, objects, err := lastPlanAttempt(ctx, s, request, t)
	if err != nil || n == 0 {
		return PlanAttempt{}, false, err
	}
	return PlanAttempt{Target: t, Prefix: folderOf(request, t, n), Objects: objects}, true, nil
}

func folderOf(request pipeline.Request, t pipeline.Target, n int) string {
	return fmt.Sprintf("%s%04d/", PlansPrefix(t, request.ID), n)
}

// lastPlanAttempt returns the highest number that was begun, 0 when there is none,
// and the names of the objects in its folder.
func lastPlanAttempt(ctx context.Context, s pipeline.Store, request pipeline.Request, t pipeline.Target) (last int, objects []string, err error) {
	folders, err := folders(ctx, s, request, t)
	if err != nil || len(folders) == 0 {
		return 0, nil, err
	}
	last = slices.Max(slices.Collect(maps.Keys(folders)))
	return last, folders[last], nil
}

// PlanAttempts returns all plannings of a target that were begun, oldest first.
func PlanAttempts(ctx context.Context, s pipeline.Store, request pipeline.Request, t pipeline.Target) ([]PlanAttempt, error) {
	folders, err := folders(ctx, s, request, t)
	if err != nil {
		return nil, err
	}
	var all []PlanAttempt
	for _, n := range slices.Sorted(maps.Keys(folders)) {
		all = append(all, PlanAttempt{Target: t, Prefix: folderOf(request, t, n), Objects: folders[n]})
	}
	return all, nil
}

// folders are the names of the objects in the folders of plannings that were begun, by
// their number.
func folders(ctx context.Context, s pipeline.Store, request pipeline.Request, t pipeline.Target) (map[int][]string, error) {
	prefix := PlansPrefix(t, request.ID)
	keys, err := s.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("look for plans of %s: %w", t, err)
	}
	folders := map[int][]string{}
	for _, key := range keys {
		number, name, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			folders[n] = append(folders[n], name)
		}
	}
	maps.DeleteFunc(folders, func(_ int, objects []string) bool { return !slices.Contains(objects, ObjectStart) })
	return folders, nil
}

// LoadRequest reads the record of a request, accepted or rejected: the one place
// where it is read. One that is not the request with this id, or that asks for nothing
// and was not rejected, is ErrTampered; fetch-vars writes none such.
func LoadRequest(ctx context.Context, s Reader, customer pipeline.CustomerName, id pipeline.RequestID) (pipeline.Request, error) {
	request, _, err := loadRequest(ctx, s, customer, id)
	return request, err
}

// RequestVariables opens the variables.yml that a request works with.
func RequestVariables(ctx context.Context, s Records, request pipeline.Request) ([]byte, error) {
	_, attached, err := loadRequest(ctx, s, request.Customer, request.ID)
	if err != nil {
		return nil, err
	}
	return attached.Text(ctx, s.Sealer)
}

// CreateRequest writes the record of a request with the variables.yml that it works with; nil:
// it has none.
func CreateRequest(ctx context.Context, s Records, request pipeline.Request, variables []byte) error {
	place := PlanAttempt{Target: pipeline.Target{Customer: request.Customer}}
	return s.CreateAttached(ctx, place, RequestKey(request.Customer, request.ID), request, variables)
}

func loadRequest(ctx context.Context, s Reader, customer pipeline.CustomerName, id pipeline.RequestID) (pipeline.Request, Attached, error) {
	var r pipeline.Request
	key := RequestKey(customer, id)
	attached, err := s.readAttached(ctx, PlanAttempt{Target: pipeline.Target{Customer: customer}}, key, &r)
	if err != nil {
		return pipeline.Request{}, Attached{}, fmt.Errorf("request %s of %s: %w", id.Short(), customer, err)
	}
	switch {
	case r.ID != id || r.Customer != customer:
		return pipeline.Request{}, Attached{}, fmt.Errorf("request %s of %s: %w: %s is of request %s of %s", id.Short(), customer, pipeline.ErrTampered, key, r.ID, r.Customer)
	case !r.Rejected() && len(r.Targets) == 0 && !r.NoTools(), r.NoTools() && len(r.Targets) > 0:
		return pipeline.Request{}, Attached{}, fmt.Errorf("request %s of %s: %w: %s is accepted and names no environment", id.Short(), customer, pipeline.ErrTampered, key)
	}
	return r, attached, nil
}

// ReadPlanned reads how a planning ended: the one place where that is read. A receipt in
// it is of the target.
func ReadPlanned(ctx context.Context, s Reader, folder PlanAttempt) (Result, error) {
	return readResult(ctx, s, folder, ObjectPlanned)
}

func readResult(ctx context.Context, s Reader, folder PlanAttempt, object string) (Result, error) {
	var ended Result
	attached, err := s.readAttached(ctx, folder, object, &ended)
	if r := ended.Receipt; err == nil && r != nil && r.Target() != folder.Target {
		err = fmt.Errorf("%s: %w: its receipt is of %s", folder.Key(object), pipeline.ErrTampered, r.Target())
	}
	if err != nil {
		return Result{}, err
	}
	ended.attached = attached
	return ended, nil
}

// DecodeReceipt reads a receipt that the caller verifies by what is sealed with it. One
// that is no receipt is ErrTampered: we write none such.
func DecodeReceipt(ctx context.Context, s pipeline.Store, folder PlanAttempt) (pipeline.Receipt, error) {
	b, err := readAll(ctx, s, folder.Key(ObjectReceipt))
	if err != nil {
		return pipeline.Receipt{}, err
	}
	receipt, err := pipeline.ParseReceipt(b)
	if err != nil {
		return pipeline.Receipt{}, fmt.Errorf("%w: %w", pipeline.ErrTampered, err)
	}
	return receipt, nil
}

func encode(key string, value any) ([]byte, error) {
	b, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", key, err)
	}
	return append(b, '\n'), nil
}

// SealInto encrypts body on its way into the store, without holding it whole.
func SealInto(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, key string, to pipeline.Binding, body io.Reader) error {
	pr, pw := io.Pipe()
	go func() {
		w, err := sealer.Seal(ctx, pw, to)
		if err == nil {
			_, err = io.Copy(w, body)
			err = errors.Join(err, w.Close())
		}
		pw.CloseWithError(err)
	}()
	err := s.Create(ctx, key, pr)
	// A store that stopped early must not leave the writer waiting.
	return errors.Join(err, pr.Close())
}

// UnsealBytes reads a small sealed object whole.
func UnsealBytes(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, key string, to pipeline.Binding) ([]byte, error) {
	var b bytes.Buffer
	err := Unseal(ctx, s, sealer, key, to, &b)
	return b.Bytes(), err
}

// UnsealFile writes the clear text to a new file that only we can read.
func UnsealFile(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, key string, to pipeline.Binding, file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(Unseal(ctx, s, sealer, key, to, f), f.Close())
}

// Unseal decrypts an object into w. ErrTampered means that it is not what was sealed for
// this binding; what was written to w is of no use then.
func Unseal(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, key string, to pipeline.Binding, w io.Writer) error {
	r, err := s.Open(ctx, key)
	if err != nil {
		return err
	}
	plaintext, err := sealer.Unseal(ctx, r, to)
	if err == nil {
		_, err = io.Copy(w, plaintext)
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("open %s: %w", key, err)
	}
	return nil
}

// CleanupContext returns a context for the last writes of a command: they must get through
// also when the command itself was cancelled, but not hang.
func CleanupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return CleanupContextFor(ctx, 0)
}

// CleanupContextFor is CleanupContext for a write of so many bytes: it has a second more for each MiB.
func CleanupContextFor(ctx context.Context, size int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second+time.Duration(size>>20)*time.Second)
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
