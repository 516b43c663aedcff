package hub

import (
	"encoding/json"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Workflow says what a workflow file listens to.
type Workflow struct {
	Path string // .github/workflows/….yml
	Name string // empty: the path
	// Dispatches are the types of `on: repository_dispatch`; nil: it does not
	// listen; empty and not nil: every type.
	Dispatches []string
	// Manual: it has `on: workflow_dispatch`, with these inputs.
	Manual bool
	Inputs []Input
	// RunName is the file's `run-name:`, from the event file; nil: the event type
	// or the name of the workflow. It is called under the server's lock and must
	// not call back.
	RunName func(event json.RawMessage) string
}

// Input is one input of a workflow_dispatch.
type Input struct {
	Name     string
	Required bool
	Default  string
}

type workflow struct {
	Workflow
	id    int64
	runs  int
	state string // as GitHub shows it; empty: active
}

// Run is a workflow run.
type Run struct {
	ID         int64  `json:"id"`
	Number     int    `json:"number"`
	Attempt    int    `json:"attempt"`
	Event      string `json:"event"`
	Path       string `json:"path"` // of the workflow file
	Name       string `json:"name"` // of the workflow
	Title      string `json:"title"`
	HeadSHA    string `json:"head_sha"`
	HeadBranch string `json:"head_branch"`
	Status     string `json:"status"` // queued, in_progress, waiting, completed
	Conclusion string `json:"conclusion,omitempty"`
	Actor      string `json:"actor"` // who caused the first attempt
	// TriggeringActor caused this attempt: on a re-run, who asked for it.
	TriggeringActor string    `json:"triggering_actor"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	StartedAt       time.Time `json:"started_at"` // of this attempt
	URL             string    `json:"url"`
	// CancelRequested: someone asked to stop it while it was in progress.
	CancelRequested bool     `json:"cancel_requested,omitempty"`
	Jobs            []Job    `json:"jobs,omitempty"`
	Reviews         []Review `json:"reviews,omitempty"`
	// Payload is the event file (github.event) when the run came by dispatch.
	Payload json.RawMessage `json:"-"`
}

// Job is one job of a run.
type Job struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion,omitempty"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	attempt     int
}

// NewRun describes a run to start.
type NewRun struct {
	Event      string // push, pull_request, schedule …
	Path       string // .github/workflows/….yml
	Title      string
	HeadSHA    string
	HeadBranch string
	HeadRepo   *Repo // nil: the same repository; of pull requests the fork
	Actor      string
	Status     string // empty: queued
}

type run struct {
	Run
	head     *Repo
	past     []Run // the attempts before
	workflow *workflow
	gates    []*gate
}

// Review is one decision of a reviewer about a job that waits.
type Review struct {
	Environments []string  `json:"environments"`
	User         string    `json:"user"`
	Approved     bool      `json:"approved"`
	Comment      string    `json:"comment"`
	At           time.Time `json:"at"`
}

// Gate is where a job stands before its environment.
type Gate string

// The positions.
const (
	GateWaiting  Gate = "waiting"  // for a reviewer or the wait timer
	GateOpen     Gate = "open"     // the job may run
	GateRejected Gate = "rejected" // a reviewer or the branch policy said no
)

// gate is one job of a run before one environment.
type gate struct {
	env        *environment
	job        string
	deployment *deployment
	since      time.Time
	approved   bool
	rejected   bool
	changed    chan struct{} // closed at the next decision
}

// IDTokenJob is a job that may ask for ID tokens (`permissions: id-token:
// write`). The rest of the claims comes from its run.
type IDTokenJob struct {
	Repo        *Repo
	RunID       int64
	Job         string
	Ref         string // refs/heads/main, refs/pull/7/merge …
	SHA         string // GITHUB_SHA: of a pull request the merge commit
	HeadRef     string // of pull requests: the branches
	BaseRef     string
	Environment string
	// JobWorkflowRef is owner/name/path@ref of a reusable workflow; empty: the
	// workflow of the run.
	JobWorkflowRef string
}

type jobIdentity struct {
	IDTokenJob
	run *run
}

type signingKeys struct {
	signing *jose.JSONWebKey
	old     []jose.JSONWebKey
}
