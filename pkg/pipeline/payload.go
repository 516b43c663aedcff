package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// DispatchEvent is the event_type of the repository_dispatch that carries a
// request from a customer to the manager.
const DispatchEvent = "infra-deploy"

// VariablesFile is the name of the one file that a customer writes.
const VariablesFile = "variables.yml"

// Payload is the client_payload of the dispatch. All of it is a hint:
// fetch-vars derives each fact again. GitHub allows ten top-level properties and
// less than 64 KB.
type Payload struct {
	Request DispatchRequest `json:"request"`
	Proof   Proof           `json:"proof"`
}

// DispatchRequest is what a customer's run asks for.
type DispatchRequest struct {
	Version      int       `json:"version"` // 1
	ID           RequestID `json:"id"`
	Repository   string    `json:"repository"` // owner/name
	RepositoryID int64     `json:"repository_id"`
	Path         string    `json:"path"` // directory of variables.yml
	// Customer is the customer's name in the manager. It is asked for where a repo
	// holds several customers, and status contexts carry it exactly when it is set,
	// so that trigger and manager write to the same ones.
	Customer    CustomerName `json:"customer,omitempty"`
	Event       string       `json:"event"`
	Commit      SHA          `json:"commit"`
	Ref         string       `json:"ref"`
	PullRequest int          `json:"pull_request"`
	Mode        Mode         `json:"mode"`
	RunID       int64        `json:"run_id"`
	RunAttempt  int          `json:"run_attempt"`
}

// OwnID is the one id that a request of this run's attempt may have, for its path
// and customer: with another one, a run could ask again and again.
func (a DispatchRequest) OwnID() RequestID {
	return DeriveRequestID(strconv.FormatInt(a.RepositoryID, 10), strconv.FormatInt(a.RunID, 10), strconv.Itoa(a.RunAttempt), a.Path, string(a.Customer))
}

// Proof shows where an ask comes from.
type Proof struct {
	// Token is an ID token of the customer's run whose audience is Audience.
	// Empty where the run could not get one.
	Token string `json:"token,omitempty"`
}

// Audience is the audience that the ID token of an ask must have: it binds the
// token to one manager and to every field of the ask.
func (a DispatchRequest) Audience(manager Slug) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q %d %q %q %q %q %q %d %q %d %d", a.Version, a.ID, a.Repository, a.RepositoryID, a.Path, a.Customer,
		a.Event, a.Commit, a.Ref, a.PullRequest, a.Mode, a.RunID, a.RunAttempt))
	return "metapipe:" + strings.ToLower(manager.String()) + ":" + hex.EncodeToString(sum[:])
}

// ParsePayload decodes and checks a client_payload. It accepts the known fields
// only, each once and in its exact spelling, so that what was signed is what is read.
func ParsePayload(raw []byte) (Payload, error) {
	var p Payload
	if err := DecodeKnown(raw, &p); err != nil {
		return Payload{}, fmt.Errorf("payload: %w", err)
	}
	return p, p.Request.check()
}

func (a DispatchRequest) check() error {
	if a.Version != 1 {
		return fmt.Errorf("payload: request.version %d is not known to this metapipe; update the manager or the customer's workflow", a.Version)
	}
	if _, err := ParseRequestID(string(a.ID)); err != nil {
		return fmt.Errorf("payload: request.id: %w", err)
	}
	if _, err := ParseSlug(a.Repository); err != nil {
		return fmt.Errorf("payload: request.repository: %w", err)
	}
	if _, err := ParseSHA(string(a.Commit)); err != nil {
		return fmt.Errorf("payload: request.commit: %w", err)
	}
	if _, err := ParseMode(string(a.Mode)); err != nil || a.Mode == "" {
		return fmt.Errorf("payload: request.mode %s: want apply, plan or dry-run", Quote(string(a.Mode)))
	}
	if _, err := ParseCustomerName(string(a.Customer)); a.Customer != "" && err != nil {
		return fmt.Errorf("payload: request.customer: %w", err)
	}
	if a.RepositoryID <= 0 || a.RunID < 0 || a.RunAttempt < 0 || a.PullRequest < 0 {
		return fmt.Errorf("payload: request has a number out of range")
	}
	if err := checkRelativePath(a.Path); err != nil {
		return fmt.Errorf("payload: request.path: %w", err)
	}
	switch a.Event {
	case "push", "workflow_dispatch", "merge_group":
		if a.PullRequest != 0 {
			return fmt.Errorf("payload: request.pull_request is set for a %s event", a.Event)
		}
	case "pull_request":
		if a.PullRequest == 0 {
			return fmt.Errorf("payload: request.pull_request is missing for a pull_request event")
		}
	default:
		return fmt.Errorf("payload: request.event %s is not one that deploys", Quote(a.Event))
	}
	return nil
}

// checkRelativePath accepts a clean slash-separated path below the root, or ".".
func checkRelativePath(p string) error {
	if p == "" || len(p) > 255 || path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../") || strings.ContainsAny(p, "\\\x00\n\r") {
		return fmt.Errorf("%s is not a clean relative path", Quote(p))
	}
	return nil
}

// ModeOf is the widest mode that an event allows: only a commit that is on a
// branch can be applied.
func ModeOf(event string) Mode {
	if event == "push" || event == "workflow_dispatch" {
		return ModeApply
	}
	return ModePlan
}
