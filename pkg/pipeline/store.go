package pipeline

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// Store keeps write-once objects under slash-separated keys. Its state bucket
// also holds the tool's own state files, which are never touched through it.
type Store interface {
	// Create writes an object whole or not at all. A taken key is ErrExists and
	// leaves the old object as it is.
	Create(ctx context.Context, key string, body io.Reader) error
	// Open reads an object; a missing one is ErrNotFound.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// List returns the keys under prefix in ascending byte order.
	List(ctx context.Context, prefix string) ([]string, error)
	// ListAfter is List without the keys up to after, which are not asked for: its cost
	// is that of what it returns.
	ListAfter(ctx context.Context, prefix, after string) ([]string, error)
	// Folders returns the first parts, each with its slash, of what follows prefix in the
	// keys that have a slash there; each once, in ascending byte order. prefix is empty or
	// ends at a slash.
	Folders(ctx context.Context, prefix string) ([]string, error)
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, key string) error
}

// The store layout. Keys of different customers share no prefix.

func RequestKey(c CustomerName, id RequestID) string {
	return fmt.Sprintf("%s/requests/%s.json", c, id)
}

// RequestsLike returns the ids of a customer's requests that begin with short, in
// ascending order. short is 8 or more characters of an id, as statuses, comments and
// the ledger print them.
func RequestsLike(ctx context.Context, s Store, c CustomerName, short string) ([]RequestID, error) {
	keys, err := s.List(ctx, fmt.Sprintf("%s/requests/%s", c, short))
	if err != nil {
		return nil, fmt.Errorf("look for requests that begin with %s: %w", short, err)
	}
	var ids []RequestID
	for _, key := range keys {
		name, isRecord := strings.CutSuffix(path.Base(key), ".json")
		if id, err := ParseRequestID(name); isRecord && err == nil && RequestKey(c, id) == key {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func RequestVariablesKey(c CustomerName, id RequestID) string {
	return fmt.Sprintf("%s/requests/%s.variables", c, id)
}

// PlansPrefix holds one numbered folder for each time the target of a request
// was planned, since a job may be run again.
func PlansPrefix(c CustomerName, env Environment, id RequestID) string {
	return fmt.Sprintf("%s/%s/plans/%s/", c, env, id)
}

// KeptRequestPrefix holds the states of a request that could not be written, in folders
// numbered as those of its plans. They lie beside the plans since those are removed
// after their time, and these may be the only record of what was made.
func KeptRequestPrefix(c CustomerName, env Environment, id RequestID) string {
	return KeptPrefix(c, env) + string(id) + "/"
}

// KeptPrefix holds the kept states of all requests of a target.
func KeptPrefix(c CustomerName, env Environment) string { return fmt.Sprintf("%s/%s/kept/", c, env) }

// QueueKey sorts the requests of a target by their age.
func QueueKey(r Request, env Environment) string {
	return QueuePrefix(r.Customer, env) + r.Order()
}

func QueuePrefix(c CustomerName, env Environment) string {
	return fmt.Sprintf("%s/%s/queue/", c, env)
}

// PullKey sorts the requests of a pull request by their age.
func PullKey(r Request) string {
	return pullPrefix(r.Customer, r.PullRequest) + r.Order()
}

func pullPrefix(c CustomerName, number int) string {
	return fmt.Sprintf("%s/pulls/%d/", c, number)
}

// CommitKey sorts the requests for a commit by their age: they share its
// statuses.
func CommitKey(r Request) string { return commitPrefix(r) + r.Order() }

func commitPrefix(r Request) string {
	return fmt.Sprintf("%s/requests/by-commit/%s/", r.Customer, r.Commit)
}

// Order sorts requests by what was pushed last, and not by which of the
// manager's runs got a runner first: by the creation of the run that asked, which
// its re-runs keep, and by the attempt. Its parts have fixed widths, so that byte order is time order.
func (r Request) Order() string {
	if r.CustomerRun.CreatedAt.IsZero() { // born in the manager
		return r.OrderAt(r.CreatedAt)
	}
	return r.OrderAt(r.CustomerRun.CreatedAt)
}

// OrderTimes is the time at the beginning of an order.
const OrderTimes = "20060102T150405.000000000Z"

// OrderStart stands before every order of that time and later ones.
func OrderStart(at time.Time) string { return at.UTC().Format(OrderTimes) }

func (r Request) OrderAt(at time.Time) string {
	run := r.CustomerRun
	if run.CreatedAt.IsZero() {
		run = r.ManagerRun
	}
	return fmt.Sprintf("%s-%020d-%06d-%s", OrderStart(at), run.ID, run.Attempt, r.ID)
}
