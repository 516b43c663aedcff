package pipeline

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
)

// The objects of one planning of a target, in its numbered folder. The receipt
// is written after everything that it vouches for, and planned.json last.
const (
	objectStart     = "begun.json"
	objectPlan      = "plan.sealed"
	objectPlanJSON  = "plan-json.sealed"
	objectBundle    = "bundle.sealed"
	objectVariables = "variables.sealed"
	objectModel     = "model.sealed"
	objectReceipt   = "receipt.json"
	objectPlanned   = "planned.json"
	objectErrored   = "errored-state.sealed" // a state that could not be written
	objectRecovered = "recovered.json"       // it is in its backend again
)

// StartRecord records that a job has started on a target.
type StartRecord struct {
	Run Run       `json:"run"`
	At  time.Time `json:"at"`
	// Host is the machine of the job. The tool writes it into the locks that it
	// takes, which is how a lock leads to its run.
	Host string `json:"host,omitempty"`
	// NotStarted stands in the mark of an apply that never began, and says why. Void tells
	// that the plan was taken out of use by somebody else.
	NotStarted *Result `json:"not_started,omitempty"`
	Revoked    bool    `json:"revoked,omitempty"`
}

// Result records how a plan or an apply ended.
type Result struct {
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason,omitempty"`
	Message string  `json:"message,omitempty"`
	Next    string  `json:"next,omitempty"`
	// Detail and Operator are those of RefusedError: customers do not read them.
	Detail   string `json:"detail,omitempty"`
	Operator string `json:"operator,omitempty"`
	// Internal: the message is that of an error on the way, such as a store's, and
	// speaks of the manager's own places.
	Internal    bool              `json:"internal,omitempty"`
	Reviewed    Reviewed          `json:"reviewed,omitempty"`
	Diagnostics []Diagnostic      `json:"diagnostics,omitempty"`
	Done        []AppliedResource `json:"done,omitempty"`
	Outputs     []Output          `json:"outputs,omitempty"`
	Run         Run               `json:"run"`
	At          time.Time         `json:"at"`
	// Retryable: an apply that ended before it could change anything, for a reason
	// that does not lie in the plan. That can be applied still.
	Retryable bool `json:"retryable,omitempty"`
}

// planAttempt names the numbered folder of one planning. Records that lie elsewhere have
// no prefix: their object is the whole key.
type planAttempt struct {
	customer CustomerName
	env      Environment
	prefix   string
	// objects are those that the folder held when it was looked up.
	objects []string
}

func (p planAttempt) has(object string) bool { return slices.Contains(p.objects, object) }

func (p planAttempt) key(object string) string { return p.prefix + object }

// newPlanAttempt claims the next number. Two claims at once get different numbers,
// since begun.json is write-once.
func newPlanAttempt(ctx context.Context, s records, request Request, env Environment, begun StartRecord) (planAttempt, error) {
	last, _, err := lastPlanAttempt(ctx, s, request, env)
	if err != nil {
		return planAttempt{}, err
	}
	for n := last + 1; ; n++ {
		p := planAttempt{customer: request.Customer, env: env, prefix: folderOf(request, env, n)}
		err := s.create(ctx, p, objectStart, begun)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return planAttempt{}, fmt.Errorf("begin the plan of %s/%s: %w", request.Customer, env, err)
		}
		return p, nil
	}
}

// latestPlanAttempt returns the newest planning that was begun; found is false when
// there is none.
func latestPlanAttempt(ctx context.Context, s Store, request Request, env Environment) (p planAttempt, found bool, err error) {
	n, objects, err := lastPlanAttempt(ctx, s, request, env)
	if err != nil || n == 0 {
		return planAttempt{}, false, err
	}
	return planAttempt{customer: request.Customer, env: env, prefix: folderOf(request, env, n), objects: objects}, true, nil
}

func folderOf(request Request, env Environment, n int) string {
	return fmt.Sprintf("%s%04d/", plansPrefix(request.Customer, env, request.ID), n)
}

// lastPlanAttempt returns the highest number that was begun, 0 when there is none,
// and the names of the objects in its folder.
func lastPlanAttempt(ctx context.Context, s Store, request Request, env Environment) (last int, objects []string, err error) {
	folders, err := folders(ctx, s, request, env)
	if err != nil || len(folders) == 0 {
		return 0, nil, err
	}
	last = slices.Max(slices.Collect(maps.Keys(folders)))
	return last, folders[last], nil
}

// planAttempts returns all plannings of a target that were begun, oldest first.
func planAttempts(ctx context.Context, s Store, request Request, env Environment) ([]planAttempt, error) {
	folders, err := folders(ctx, s, request, env)
	if err != nil {
		return nil, err
	}
	var all []planAttempt
	for _, n := range slices.Sorted(maps.Keys(folders)) {
		all = append(all, planAttempt{customer: request.Customer, env: env, prefix: folderOf(request, env, n), objects: folders[n]})
	}
	return all, nil
}

// folders are the names of the objects in the folders of plannings that were begun, by
// their number.
func folders(ctx context.Context, s Store, request Request, env Environment) (map[int][]string, error) {
	prefix := plansPrefix(request.Customer, env, request.ID)
	keys, err := s.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("look for plans of %s/%s: %w", request.Customer, env, err)
	}
	folders := map[int][]string{}
	for _, key := range keys {
		number, name, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			folders[n] = append(folders[n], name)
		}
	}
	maps.DeleteFunc(folders, func(_ int, objects []string) bool { return !slices.Contains(objects, objectStart) })
	return folders, nil
}

// loadRequest reads the record of a request, accepted or rejected: the one place
// where it is read. One that is not the request with this id, or that asks for nothing
// and was not rejected, is ErrTampered; fetch-vars writes none such.
func loadRequest(ctx context.Context, s reader, customer CustomerName, id RequestID) (Request, error) {
	var r Request
	key := requestKey(customer, id)
	if err := s.read(ctx, planAttempt{customer: customer}, key, &r); err != nil {
		return Request{}, fmt.Errorf("request %s of %s: %w", id.Short(), customer, err)
	}
	switch {
	case r.ID != id || r.Customer != customer:
		return Request{}, fmt.Errorf("request %s of %s: %w: %s is of request %s of %s", id.Short(), customer, ErrTampered, key, r.ID, r.Customer)
	case !r.Rejected() && len(r.Targets) == 0:
		return Request{}, fmt.Errorf("request %s of %s: %w: %s is accepted and names no environment", id.Short(), customer, ErrTampered, key)
	}
	return r, nil
}

// readReceipt reads the receipt of a planning with the model of its plan, which
// vouches for it. A receipt that the model is not bound to is ErrTampered, a planning
// without one ErrNotFound.
func readReceipt(ctx context.Context, s records, folder planAttempt) (Receipt, []byte, error) {
	receipt, err := parseReceipt(ctx, s, folder)
	if err != nil {
		return Receipt{}, nil, err
	}
	model, err := unsealBytes(ctx, s, s.Sealer, folder.key(objectModel), binding(receipt, objectModel))
	if errors.Is(err, ErrNotFound) { // it is written before the receipt, and stays
		err = fmt.Errorf("%s: %w: the model of its plan is gone", folder.key(objectReceipt), ErrTampered)
	}
	if err != nil {
		return Receipt{}, nil, err
	}
	return receipt, model, nil
}

// parseReceipt reads a receipt that the caller verifies by what is sealed with it. One
// that is no receipt is ErrTampered: we write none such.
func parseReceipt(ctx context.Context, s Store, folder planAttempt) (Receipt, error) {
	b, err := readAll(ctx, s, folder.key(objectReceipt))
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := ParseReceipt(b)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	return receipt, nil
}

func createJSON(ctx context.Context, s Store, key string, value any) error {
	b, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return s.Create(ctx, key, bytes.NewReader(append(b, '\n')))
}

// maxRecord bounds what is read of a record before it is verified: no store can fill
// the memory.
const maxRecord = 64 << 20

var errTooLarge = errors.New("it is larger than anything that is written there")

func readAll(ctx context.Context, s Store, key string) ([]byte, error) {
	return readAtMost(ctx, s, key, maxRecord)
}

func readAtMost(ctx context.Context, s Store, key string, most int64) ([]byte, error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err = errors.Join(err, r.Close()); err == nil && int64(len(b)) > most {
		err = fmt.Errorf("read %s: %w", key, errTooLarge)
	}
	return b, err
}

// sealInto encrypts body on its way into the store, without holding it whole.
func sealInto(ctx context.Context, s Store, sealer Sealer, key string, to Binding, body io.Reader) error {
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

// unsealBytes reads a small sealed object whole.
func unsealBytes(ctx context.Context, s Store, sealer Sealer, key string, to Binding) ([]byte, error) {
	var b bytes.Buffer
	err := unseal(ctx, s, sealer, key, to, &b)
	return b.Bytes(), err
}

// unsealFile writes the clear text to a new file that only we can read.
func unsealFile(ctx context.Context, s Store, sealer Sealer, key string, to Binding, file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(unseal(ctx, s, sealer, key, to, f), f.Close())
}

func unseal(ctx context.Context, s Store, sealer Sealer, key string, to Binding, w io.Writer) error {
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

// cleanupContext returns a context for the last writes of a command: they must get through
// also when the command itself was cancelled, but not hang.
func cleanupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
}
