package pipeline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Event is what a customer's or the manager's workflow run was started by, read
// from the runner's event file. Everything in it is a hint until it has been
// derived again from GitHub.
type Event struct {
	// Name is push, pull_request, merge_group, workflow_dispatch or
	// repository_dispatch.
	Name       string
	Repository Repository
	Actor      string
	// Ref is the full ref ("refs/heads/main"); Branch is its branch name, on pull
	// requests the head branch.
	Ref    string
	Branch string
	// Head is the commit that statuses belong to: for a pull request its head and
	// not the merge commit. Base is what it is compared with; zero for new branches.
	Head        SHA
	Base        SHA
	PullRequest int // 0 when the event is not about one
	// Action is what happened to the pull request or the merge group, such as opened, and
	// the type of a repository_dispatch, which its sender chooses;
	// Closed says that the pull request was closed or merged then.
	// Retargeted says that it got another base branch.
	Action     string `json:",omitempty"`
	Closed     bool   `json:",omitempty"`
	Retargeted bool   `json:",omitempty"`
	// Fork and Dependabot runs have neither secrets nor an ID token.
	Fork       bool
	Dependabot bool
	Deleted    bool            // a push that deletes its branch
	Payload    json.RawMessage // client_payload of a repository_dispatch
	Inputs     map[string]string
	// Properties are the custom properties of the repository when the event happened, as
	// its own run knows them: good for advice, and nothing that the manager believes.
	Properties Properties `json:"-"`
}

// Run is the workflow run that a command is part of; zero on a laptop.
type Run struct {
	Repository Slug `json:"repository"`
	// RepositoryID is the id of Repository, whose name may change hands; 0 when the runner
	// did not say.
	RepositoryID int64     `json:"repository_id,omitempty"`
	ID           int64     `json:"id"`
	Attempt      int       `json:"attempt"`
	URL          string    `json:"url"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
}

// Request is the record of one accepted or rejected request, written once by
// fetch-vars, with a seal. It is read by LoadRequest alone. Its facts come from GitHub and from the manager's own files.
type Request struct {
	ID         RequestID    `json:"id"`
	Customer   CustomerName `json:"customer"`
	Repository Repository   `json:"repository"`
	Event      string       `json:"event"`
	Actor      string       `json:"actor"` // login of who asked for this attempt, for people to read
	// Requesters are all who caused the attempt of the run that this request comes
	// from; one without an id is not known. Those of the manager's run join them when
	// the plan is applied.
	Requesters []Account `json:"requesters,omitempty"`
	Mode       Mode      `json:"mode"`
	Commit     SHA       `json:"commit"`
	Branch     string    `json:"branch"`
	// PullRequest is the pull request under review, or the one whose merge this
	// push is; 0 when there is none.
	PullRequest int    `json:"pull_request,omitempty"`
	File        string `json:"file"` // path of variables.yml in the customer's repo
	Blob        SHA    `json:"blob"` // git blob of variables.yml; empty when it is missing
	// AppliedBy is the request that applied the variables of a destroy; empty in other
	// modes, which read them from Commit.
	AppliedBy RequestID `json:"applied_by,omitempty"`
	// Targets are what to work on, in promotion order. Each is one of Customer.
	Targets []RequestTarget `json:"targets"`
	// Removed are environments that were deployed before and are not in
	// variables.yml any more. Nothing is destroyed.
	Removed []Environment `json:"removed,omitempty"`
	// RemovedStacks are stacks that were deployed before in an environment of variables.yml
	// and that the customer does not have any more. Nothing is destroyed.
	RemovedStacks []Target `json:"removed_stacks,omitempty"`
	// Disabled are targets that were deployed before and that a custom property switches off.
	// Nothing is destroyed.
	Disabled []Target `json:"disabled,omitempty"`
	// Properties are the custom properties that the request was accepted with; nil where
	// metapipe.yml uses none, and for a destroy.
	Properties *RequestProperties `json:"properties,omitempty"`
	// Problems and Reason are set when the request is rejected.
	Reason   Reason   `json:"reason,omitempty"`
	Problems Problems `json:"problems,omitempty"`
	// SharedRepository: the repo holds several customers, so contexts and deployments
	// carry the customer's name.
	SharedRepository bool `json:"shared_repository,omitempty"`
	// AskedAs is the former name of the customer, where the trigger still uses it: it waits
	// for statuses of that name. Such a request is always a rejected one.
	AskedAs       CustomerName `json:"asked_as,omitempty"`
	ManagerCommit SHA          `json:"manager_commit"`
	// Registration is the number of the registration that names the customer; 0: not known.
	Registration int       `json:"registration,omitempty"`
	CustomerRun  Run       `json:"customer_run"`
	ManagerRun   Run       `json:"manager_run"`
	CreatedAt    time.Time `json:"created_at"`
}

// RequestTarget is one target of a request, with what fetch-vars has found out about it:
// the later steps have neither a token nor a key to ask with.
type RequestTarget struct {
	Target
	// PlanOnly says why the target is only planned: it may not be applied from this branch.
	// Empty: it may.
	PlanOnly string `json:"plan_only,omitempty"`
	// Deployed is an apply that GitHub remembers and the store has no record of: the store
	// was moved, or emptied. nil: there is none.
	Deployed *Deployed `json:"deployed,omitempty"`
	// OwnerVerified: the store has no record of an apply, and registrations that were
	// verified with the key of the fleet give the target to the repository.
	OwnerVerified bool `json:"owner_verified,omitempty"`
}

// TargetNames lists the targets for people: "staging, production".
func (r Request) TargetNames() string {
	names := make([]string, len(r.Targets))
	for i, t := range r.Targets {
		names[i] = t.Name()
	}
	return JoinNames(names)
}

// EventManual is Request.Event of a request that was started by hand in the manager.
const EventManual = "manual"

// ManualID is the id of a manual request: each attempt of a run makes one of its own.
func ManualID(manager Slug, run int64, attempt int) RequestID {
	return DeriveRequestID(EventManual, manager.String(), strconv.FormatInt(run, 10), strconv.Itoa(attempt))
}

// SameRun are the ids of the requests that the attempts of a run, up to the given one, have
// worked on: one that was dispatched keeps its id.
func (r Request) SameRun(run Run) []RequestID {
	ids := []RequestID{r.ID}
	for attempt := 1; r.Event == EventManual && attempt < run.Attempt; attempt++ {
		ids = append(ids, ManualID(run.Repository, run.ID, attempt))
	}
	return ids
}

// Reject makes the request one that is answered and not worked on.
func (r *Request) Reject(answer *RejectedError) {
	r.Reason, r.Problems = answer.Reason, answer.Problems
	r.Targets, r.Removed, r.RemovedStacks, r.Disabled = nil, nil, nil, nil
}

// Rejected reports whether the request was not accepted.
func (r Request) Rejected() bool { return r.Reason != "" }

// Find returns what the request says of a target. Of one that it does not work on, such as
// one of another customer, it says nothing: the answer is the zero RequestTarget.
func (r Request) Find(t Target) RequestTarget {
	for _, of := range r.Targets {
		if of.Target == t {
			return of
		}
	}
	return RequestTarget{}
}

// WorksOn reports whether t is one of the targets.
func (r Request) WorksOn(t Target) bool {
	return slices.ContainsFunc(r.Targets, func(of RequestTarget) bool { return of.Target == t })
}

// Applies reports whether t is to be applied, not only planned.
func (r Request) Applies(t Target) bool {
	return r.Mode.Changes() && r.WorksOn(t) && r.Find(t).PlanOnly == ""
}

// Environments are those of the targets, each once, in promotion order.
func (r Request) Environments() []Environment {
	var all []Environment
	for _, t := range r.Targets {
		if !slices.Contains(all, t.Environment) {
			all = append(all, t.Environment)
		}
	}
	return all
}

// Document is a parsed and validated variables.yml. pkg/variables implements it.
type Document interface {
	// Environments are the keys of `environments`, in file order, as written.
	Environments() []DeclaredEnvironment
	// Locate finds the line of the value at path (keys, and indexes as decimal
	// digits), for example "environments", "staging", "region". When the value
	// does not exist it returns the position of its nearest existing parent and
	// exact == false.
	Locate(path ...string) (pos Position, exact bool)
	// Effective is what the tool sees for one environment.
	Effective(env Environment) (EffectiveConfig, error)
}

// DeclaredEnvironment is one key of `environments` in variables.yml.
type DeclaredEnvironment struct {
	Name string // not yet checked
	Position
}

// Declares reports whether one of the keys is the name of an environment.
func Declares(keys []DeclaredEnvironment, env Environment) bool {
	return slices.ContainsFunc(keys, func(d DeclaredEnvironment) bool { return d.Name == string(env) })
}

// EffectiveConfig is variables.yml for one environment, with `{{ environment }}`
// filled in.
type EffectiveConfig struct {
	// Source is the whole file, as YAML that every YAML 1.1 and 1.2 reader
	// understands alike: strings quoted, no anchors, keys in file order.
	Source []byte
	// Whole is the same as one JSON object.
	Whole json.RawMessage
	// Values are the top-level keys as JSON, with the keys of
	// `environments.<env>` laid over them.
	Values map[string]json.RawMessage
}

// OverallContext is the context of the commit status for all targets of a request.
const OverallContext = "infra/terraform-deploy"

// StatusContext is the commit status context of a target, or without one of the whole
// request.
func (r Request) StatusContext(t Target) string {
	statusContext := OverallContext
	if r.SharedRepository {
		statusContext += "/" + string(cmp.Or(r.AskedAs, r.Customer))
	}
	if t.Environment != "" {
		statusContext += "/" + t.Name()
	}
	return statusContext
}

// DeploymentEnvironment is the name of the GitHub environment in the customer's
// repo that carries the outputs of a target. The prefix keeps it apart from the
// customer's own environments.
func (r Request) DeploymentEnvironment(t Target) string {
	if r.SharedRepository {
		return "infra/" + string(r.Customer) + "/" + t.Name()
	}
	return "infra/" + t.Name()
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

// OrderAt is Order as if the request were created at that time.
func (r Request) OrderAt(at time.Time) string {
	run := r.CustomerRun
	if run.CreatedAt.IsZero() {
		run = r.ManagerRun
	}
	return fmt.Sprintf("%s-%020d-%06d-%s", OrderStart(at), run.ID, run.Attempt, r.ID)
}
