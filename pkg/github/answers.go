package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
)

// The types here are the parts of GitHub's answers that metapipe reads. A field that
// is not read has no type, so GitHub can add to its answers or change the form of a
// value, such as a custom property, and nothing here fails by it.

// ghost is the account that GitHub shows in place of every deleted one.
const ghost = "ghost"

type accountResponse struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

// account is unknown where GitHub names no one, or the stand-in for deleted accounts:
// that one id is the id of many people.
func (a accountResponse) account() pipeline.Account {
	if a.ID <= 0 || a.Login == "" || strings.EqualFold(a.Login, ghost) {
		return pipeline.Account{Login: a.Login}
	}
	return pipeline.Account{ID: a.ID, Login: a.Login}
}

type repositoryResponse struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	Archived      bool   `json:"archived"`
	// CustomProperties is decoded by who asks for it: its values can have any form.
	CustomProperties json.RawMessage `json:"custom_properties"`
}

// repositoryID is all that is read of a repository inside of another answer.
type repositoryID struct {
	ID int64 `json:"id"`
}

type runResponse struct {
	ID              int64           `json:"id"`
	Attempt         int             `json:"run_attempt"`
	Event           string          `json:"event"`
	Status          string          `json:"status"`
	Conclusion      string          `json:"conclusion"`
	HeadSHA         string          `json:"head_sha"`
	HeadBranch      string          `json:"head_branch"`
	Path            string          `json:"path"`
	Actor           accountResponse `json:"actor"`
	TriggeringActor accountResponse `json:"triggering_actor"`
	HTMLURL         string          `json:"html_url"`
	Repository      repositoryID    `json:"repository"`
	CreatedAt       time.Time       `json:"created_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
}

func (r runResponse) run() (pipeline.WorkflowRun, error) {
	if r.ID <= 0 || r.Repository.ID <= 0 {
		return pipeline.WorkflowRun{}, errors.New("the answer lacks the id of the run or of its repository")
	}
	head, err := pipeline.ParseSHA(r.HeadSHA)
	if err != nil {
		return pipeline.WorkflowRun{}, fmt.Errorf("head_sha: %w", err)
	}
	return pipeline.WorkflowRun{
		ID: r.ID, Attempt: r.Attempt, Event: r.Event, Status: r.Status, Conclusion: r.Conclusion,
		HeadSHA: head, HeadBranch: r.HeadBranch, Path: workflowFile(r.Path),
		Actor: r.Actor.Login, StartedBy: r.Actor.account(), TriggeredBy: r.TriggeringActor.account(),
		URL: r.HTMLURL, RepoID: r.Repository.ID, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}, nil
}

type refResponse struct {
	Ref    string `json:"ref"`
	Object struct {
		Type string `json:"type"`
		SHA  string `json:"sha"`
	} `json:"object"`
}

type comparisonResponse struct {
	Status   string         `json:"status"`
	AheadBy  int            `json:"ahead_by"`
	BehindBy int            `json:"behind_by"`
	Files    []fileResponse `json:"files"`
}

type fileResponse struct {
	Filename         string `json:"filename"`
	PreviousFilename string `json:"previous_filename"`
}

type pullResponse struct {
	Number   int          `json:"number"`
	State    string       `json:"state"`
	Merged   bool         `json:"merged"`
	MergedAt *time.Time   `json:"merged_at"`
	MergeSHA string       `json:"merge_commit_sha"`
	Head     sideResponse `json:"head"`
	Base     sideResponse `json:"base"`
}

type sideResponse struct {
	SHA  string       `json:"sha"`
	Ref  string       `json:"ref"`
	Repo repositoryID `json:"repo"` // null when a fork was deleted
}

func (p pullResponse) pull() (pipeline.PullRequest, error) {
	head, err := pipeline.ParseSHA(p.Head.SHA)
	if err != nil {
		return pipeline.PullRequest{}, fmt.Errorf("head: %w", err)
	}
	if p.Number <= 0 {
		return pipeline.PullRequest{}, errors.New("the answer lacks the pull request's number")
	}
	pull := pipeline.PullRequest{
		Number: p.Number, State: p.State, Merged: p.Merged || p.MergedAt != nil,
		Head: head, HeadBranch: p.Head.Ref,
		HeadRepoID: p.Head.Repo.ID, // 0 when the fork was deleted
		BaseBranch: p.Base.Ref,
	}
	// There is none while GitHub has not tried the merge, or cannot do it.
	if p.MergeSHA != "" {
		if pull.MergeSHA, err = pipeline.ParseSHA(p.MergeSHA); err != nil {
			return pipeline.PullRequest{}, fmt.Errorf("merge commit: %w", err)
		}
	}
	return pull, nil
}

type commentResponse struct {
	ID        int64           `json:"id"`
	User      accountResponse `json:"user"`
	Body      string          `json:"body"`
	UpdatedAt time.Time       `json:"updated_at"`
}

func (c commentResponse) comment() (pipeline.Comment, error) {
	if c.ID <= 0 {
		return pipeline.Comment{}, errors.New("the answer lacks the comment's id")
	}
	return pipeline.Comment{ID: c.ID, Author: c.User.Login, Body: c.Body, UpdatedAt: c.UpdatedAt}, nil
}

type issueResponse struct {
	Number        int             `json:"number"`
	User          accountResponse `json:"user"`
	State         string          `json:"state"`
	Body          string          `json:"body"`
	HTMLURL       string          `json:"html_url"`
	RepositoryURL string          `json:"repository_url"`
	Labels        []labelResponse `json:"labels"`
	PullRequest   json.RawMessage `json:"pull_request"`
}

// isPull reports whether GitHub shows a pull request as an issue.
func (i issueResponse) isPull() bool {
	return len(i.PullRequest) > 0 && !bytes.Equal(i.PullRequest, []byte("null"))
}

func (i issueResponse) issue() (issues.Issue, error) {
	if i.Number <= 0 {
		return issues.Issue{}, errors.New("the answer lacks the issue's number")
	}
	issue := issues.Issue{Number: i.Number, Author: i.User.Login, State: i.State, Body: i.Body, URL: i.HTMLURL}
	for _, label := range i.Labels {
		issue.Labels = append(issue.Labels, label.Name)
	}
	return issue, nil
}

// labelResponse is an object with a name, or the bare name: GitHub's description of an
// issue allows both.
type labelResponse struct {
	Name string `json:"name"`
}

func (l *labelResponse) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		return json.Unmarshal(raw, &l.Name)
	}
	type object labelResponse
	return json.Unmarshal(raw, (*object)(l))
}

type statusResponse struct {
	Context     string          `json:"context"`
	State       string          `json:"state"`
	Description string          `json:"description"`
	TargetURL   string          `json:"target_url"`
	CreatedAt   time.Time       `json:"created_at"`
	Creator     accountResponse `json:"creator"`
}

func (s statusResponse) status() pipeline.Status {
	return pipeline.Status{
		Context: s.Context, State: pipeline.StatusState(s.State),
		Description: s.Description, TargetURL: s.TargetURL, CreatedAt: s.CreatedAt,
	}
}

type deploymentResponse struct {
	ID          int64           `json:"id"`
	SHA         string          `json:"sha"`
	Ref         string          `json:"ref"`
	Environment string          `json:"environment"`
	Description string          `json:"description"`
	Payload     json.RawMessage `json:"payload"`
	Creator     accountResponse `json:"creator"`
	CreatedAt   time.Time       `json:"created_at"`
}

func (d deploymentResponse) deployment() (pipeline.Deployment, error) {
	if d.ID <= 0 {
		return pipeline.Deployment{}, errors.New("the answer lacks the deployment's id")
	}
	return pipeline.Deployment{
		ID: d.ID, SHA: pipeline.SHA(d.SHA), Ref: d.Ref, Environment: d.Environment,
		Description: d.Description, Payload: payload(d.Payload),
	}, nil
}

type deploymentStateResponse struct {
	State  string `json:"state"`
	LogURL string `json:"log_url"`
}

type environmentName struct {
	Name string `json:"name"`
}

type environmentResponse struct {
	ProtectionRules []struct {
		Type      string             `json:"type"`
		WaitTimer int                `json:"wait_timer"` // minutes
		Reviewers []reviewerResponse `json:"reviewers"`
	} `json:"protection_rules"`
}

// reviewerResponse is a user, a team, or a kind that GitHub adds later.
type reviewerResponse struct {
	Reviewer struct {
		ID int64 `json:"id"`
	} `json:"reviewer"`
}

type pendingResponse struct {
	Environment environmentName `json:"environment"`
}

type approvalResponse struct {
	State        string            `json:"state"` // approved, rejected or pending
	Environments []environmentName `json:"environments"`
	User         accountResponse   `json:"user"`
}

func (a approvalResponse) approval() deploy.Approval {
	approval := deploy.Approval{Login: a.User.Login, User: a.User.account(), Approved: a.State == "approved"}
	for _, e := range a.Environments {
		approval.Environments = append(approval.Environments, e.Name)
	}
	return approval
}

type contentResponse struct {
	Type         string  `json:"type"`
	Name         string  `json:"name"`
	Size         int     `json:"size"` // bytes
	SHA          string  `json:"sha"`
	Encoding     string  `json:"encoding"`
	Content      *string `json:"content"`
	Target       string  `json:"target"`
	GitURL       string  `json:"git_url"`
	SubmoduleURL string  `json:"submodule_git_url"`
}
