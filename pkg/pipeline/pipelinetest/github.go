package pipelinetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// Hub is GitHub as far as the use cases see it.
type Hub struct {
	w                *Setup
	files            map[pipeline.SHA]string // variables.yml by commit
	Unreachable      map[pipeline.SHA]bool
	Runs             map[int64]pipeline.WorkflowRun
	Pulls            map[int]pipeline.PullRequest
	Merged           map[pipeline.SHA]int
	StatusOf         map[string]pipeline.Status // "<sha> <context>"
	CommentList      []pipeline.Comment
	DeploymentList   []pipeline.Deployment
	Searches         int   // for deployments of any commit
	PayloadRoom      int   // bytes that a payload may have; 0: any number
	SearchError      error // what such a search answers
	Reviewers        int
	WaitMinutes      int // minutes
	ApprovalList     []deploy.Approval
	Dispatched       []json.RawMessage
	DispatchedTo     []pipeline.Slug
	Paths            []string
	PathsIncomplete  bool // paths is not all
	OnPoll           func()
	Writes           int
	Cancelled        []int64
	Forced           []int64
	Reads            int // of runs
	CommitLine       []pipeline.SHA
	Compared         int
	DispatchError    error                            // what a dispatch answers
	StatusesError    error                            // what a look at the statuses answers
	Attempts         map[int64][]pipeline.WorkflowRun // earlier ones
	ManagerError     error                            // what is said of the manager's repository and its runs
	ManagerHead      pipeline.SHA
	ManagerID        int64                               // of the repository that has the manager's name now
	ListError        error                               // what a list of runs answers
	Deleted          map[string]bool                     // branches
	Refuse           func(op string) error               // what a write answers, by its name and object
	Properties       string                              // custom_properties of the customer's repository; empty: the answer has none
	AnswerRepository func() (pipeline.Repository, error) // instead of the customer's
}

// NotVisible is GitHub's 404.
func NotVisible() error { return &pipeline.NotVisibleError{Err: errors.New("HTTP 404: Not Found")} }

// Gone is what is known not to be there.
func Gone() error { return &pipeline.GoneError{Err: errors.New("it does not exist")} }

func (h *Hub) refused(op string) error {
	if h.Refuse == nil {
		return nil
	}
	return h.Refuse(op)
}

func newHub(w *Setup) *Hub {
	return &Hub{
		w:            w,
		files:        map[pipeline.SHA]string{},
		Unreachable:  map[pipeline.SHA]bool{},
		Runs:         map[int64]pipeline.WorkflowRun{1: {ID: 1, Attempt: 1, Status: "in_progress", StartedBy: bot, TriggeredBy: bot}},
		Attempts:     map[int64][]pipeline.WorkflowRun{},
		ApprovalList: []deploy.Approval{Approved(Robin, "staging-apply"), Approved(Robin, "production-apply")},
		Pulls:        map[int]pipeline.PullRequest{},
		ManagerID:    ManagerID,
		Deleted:      map[string]bool{},
		Merged:       map[pipeline.SHA]int{},
		StatusOf:     map[string]pipeline.Status{},
		Reviewers:    1,
	}
}

// Commit adds a commit with this variables.yml and returns its id.
func (h *Hub) Commit(variables string) pipeline.SHA {
	sum := sha256.Sum256([]byte(fmt.Sprint(len(h.files), variables)))
	sha := pipeline.SHA(hex.EncodeToString(sum[:20]))
	h.files[sha], h.CommitLine = variables, append(h.CommitLine, sha)
	return sha
}

// Status is the status of a commit in one context.
func (h *Hub) Status(sha pipeline.SHA, statusContext string) pipeline.Status {
	return h.StatusOf[string(sha)+" "+strings.ToLower(statusContext)]
}

func (h *Hub) Login(context.Context) (string, error) { return "metapipe-bot", nil }
