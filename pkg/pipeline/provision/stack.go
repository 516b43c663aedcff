package provision

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Stack is a stack in Spacelift, as far as it belongs to metapipe. Lists are sorted.
type Stack struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Space       string   `json:"space"`
	Namespace   string   `json:"namespace"` // owner of the repository
	Repository  string   `json:"repository"`
	Branch      string   `json:"branch"`
	Root        string   `json:"root"`
	Integration string   `json:"integration,omitempty"`
	WorkerPool  string   `json:"worker_pool,omitempty"`
	Labels      []string `json:"labels"` // those with a prefix of metapipe
	Tool        string   `json:"tool"`   // terraform or tofu; other ones as Spacelift has them
	Version     string   `json:"version,omitempty"`
	Autodeploy  bool     `json:"autodeploy"`
	ManageState bool     `json:"manage_state"` // Spacelift keeps the state; never changes
	Enabled     bool     `json:"enabled"`
	Values      []Value  `json:"values"`             // those that metapipe names
	Policies    []string `json:"policies"`           // those of metapipe.yml that are attached
	Contexts    []string `json:"contexts"`           // the same
	Needs       []string `json:"needs"`              // ids of the stacks of metapipe that it depends on
	Drift       *Drift   `json:"drift,omitempty"`    // nil: none, or none that metapipe.yml asks for
	Deleting    bool     `json:"deleting,omitempty"` // someone is deleting it
}

// Drift is the schedule of the drift detection.
type Drift struct {
	Schedule  []string `json:"schedule"`
	Reconcile bool     `json:"reconcile"`
}

// Kind is what a value is to a run.
type Kind string

// The kinds, as Spacelift names them.
const (
	File     Kind = "FILE_MOUNT"
	Variable Kind = "ENVIRONMENT_VARIABLE"
)

// Value is a file or an environment variable of a stack. It holds no text.
type Value struct {
	ID     string `json:"id"` // the name of the variable, or the path of the file below /mnt/workspace
	Kind   Kind   `json:"kind"`
	Secret bool   `json:"secret"` // Spacelift shows it to no one
	// Sum is the salted digest of the text, or of what Spacelift says of a text that is not ours.
	Sum string `json:"sum"`
}

// Content is a value with its text.
type Content struct {
	ID     string
	Kind   Kind
	Secret bool
	Text   string
}

// Sent is the text as it is sent: files are in Base64.
func (c Content) Sent() string {
	if c.Kind == File {
		return base64.StdEncoding.EncodeToString([]byte(c.Text))
	}
	return c.Text
}

// is reports whether a checksum of Spacelift is that of the text. Its documentation says that it is the
// SHA-256 of the value, and not whether that of a file is taken before or after Base64.
func (c Content) is(checksum string) bool {
	sum := func(text string) bool {
		digest := sha256.Sum256([]byte(text))
		return strings.EqualFold(checksum, hex.EncodeToString(digest[:]))
	}
	return sum(c.Text) || sum(c.Sent())
}

// Found is a stack as Spacelift has it.
type Found struct {
	ID string
	Stack
	// Labels are all of them.
	Labels []string
	// Checksums are those of all values, by their ids.
	Checksums map[string]Checked
	// Policies and Contexts are all that are attached by themselves, not by a label.
	Policies, Contexts []string
	// Needs are the ids of all stacks that it depends on, and those of the dependencies.
	Needs map[string]string
	// Drift is what the stack has; nil: none.
	Drift *Drift
	// Blocker is the run that others wait for; empty: none.
	Blocker string
	Locked  bool
	// AsksApproval: one of its policies does, also one that a label attaches.
	AsksApproval bool
	// Protected: Spacelift refuses to delete it.
	Protected bool
	// Outputs are the outputs of the last run that are not sensitive, as JSON texts.
	Outputs map[string]string
	// Kept is what the stack has beside Stack, in the form in which an update sends it.
	Kept json.RawMessage
}

// Checked is a value as Spacelift shows it.
type Checked struct {
	Kind     Kind
	Secret   bool
	Checksum string
}

// Spacelift is what is asked of the account.
type Spacelift interface {
	// Labeled are the stacks with a label, as far as the key sees them.
	Labeled(ctx context.Context, label string) ([]Found, error)
	// Stack is the stack of an id; false: there is none, or none that the key sees.
	Stack(ctx context.Context, id string) (Found, bool, error)
	// Do makes one request. An error of it does not say that nothing was written.
	Do(ctx context.Context, id string, s Step) error
	// Body is what Do sends, without the texts of values.
	Body(id string, s Step) (json.RawMessage, error)
	// Policy reports whether a policy asks for an approval, and whether the key sees it.
	Policy(ctx context.Context, id string) (asksApproval, there bool, err error)
	// Deleted reports whether a stack that is being deleted is gone: false, without an error, where it still goes on.
	Deleted(ctx context.Context, id string) (bool, error)
}

// The prefixes of labels that belong to metapipe.
const (
	labelOwner    = "metapipe:"
	managedBy     = "managed-by:"
	labelCustomer = "customer:"
	labelTarget   = "environment:"
	labelTool     = "tool:"
	labelStack    = "metapipe-target:"
)

var ownLabels = []string{labelOwner, managedBy, labelCustomer, labelTarget, labelTool, labelStack}

// IsOwnLabel reports whether a label belongs to metapipe.
func IsOwnLabel(label string) bool {
	return slices.ContainsFunc(ownLabels, func(prefix string) bool { return strings.HasPrefix(label, prefix) })
}

// OwnerLabel is on every stack that belongs to a manager.
func OwnerLabel(manager pipeline.Slug) string {
	return labelOwner + strings.ToLower(manager.String())
}

// OwnedBy reports whether the stack has the label of a manager.
func (f Found) OwnedBy(manager pipeline.Slug) bool {
	return slices.Contains(f.Labels, OwnerLabel(manager))
}

// Target is the one that the stack says that it runs; false: it says none.
func (f Found) Target() (pipeline.Target, bool) {
	for _, label := range f.Labels {
		rest, found := strings.CutPrefix(label, labelStack)
		if !found {
			continue
		}
		customer, name, _ := strings.Cut(rest, "/")
		c, err := pipeline.ParseCustomerName(customer)
		if err != nil {
			return pipeline.Target{}, false
		}
		t, err := c.ParseName(name)
		return t, err == nil && t.SpaceliftID() == f.ID
	}
	return pipeline.Target{}, false
}

// seen is the part of a stack that metapipe.yml says something about, for comparison with what is wanted.
func (f Found) seen(w Wanted, salt pipeline.Salt) Stack {
	s := f.Stack
	s.Labels = kept(f.Labels, IsOwnLabel)
	s.Values = []Value{}
	for id, checked := range f.Checksums {
		if !w.owns(id) {
			continue
		}
		sum := salt.Sum([]byte("of Spacelift: " + checked.Checksum))
		if c, wanted := w.content(id); wanted && c.is(checked.Checksum) {
			sum = salt.Sum([]byte(c.Text))
		}
		s.Values = append(s.Values, Value{ID: id, Kind: checked.Kind, Secret: checked.Secret, Sum: sum})
	}
	slices.SortFunc(s.Values, func(a, b Value) int { return strings.Compare(a.ID, b.ID) })
	s.Policies = kept(f.Policies, func(id string) bool { return slices.Contains(w.Stack.Policies, id) })
	s.Contexts = kept(f.Contexts, func(id string) bool { return slices.Contains(w.Stack.Contexts, id) })
	s.Needs = []string{}
	for id := range f.Needs {
		if strings.HasPrefix(id, idPrefix) {
			s.Needs = append(s.Needs, id)
		}
	}
	slices.Sort(s.Needs)
	s.Drift = nil
	if w.Stack.Drift != nil {
		s.Drift = f.Drift
	}
	return s
}

// idPrefix begins the ids of the stacks of metapipe.
const idPrefix = "mp-"

func kept(list []string, keep func(string) bool) []string {
	out := []string{}
	for _, s := range list {
		if keep(s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// encode is the stack as the value of a row.
func (s Stack) encode() (json.RawMessage, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return change.Canonical(raw)
}
