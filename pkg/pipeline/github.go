package pipeline

import "time"

// Account is an account of GitHub as an answer names it. Its id is who it is: the login
// can be renamed, and taken by someone else. The id is 0 where GitHub does not say,
// such as for a deleted account, which it shows as "ghost". Two unknown accounts are
// neither the same nor different: compare ids only where both are known.
type Account struct {
	ID    int64  `json:"id,omitempty"`
	Login string `json:"login,omitempty"` // for people to read
}

// Known reports whether GitHub said which account it is.
func (a Account) Known() bool { return a.ID > 0 }

// Status is one commit status. Description is at most 140 characters
// (GitHub answers 422 above); contexts compare without regard to case.
type Status struct {
	Context     string      `json:"context"`
	State       StatusState `json:"state"`
	Description string      `json:"description"`
	TargetURL   string      `json:"target_url,omitempty"`
	CreatedAt   time.Time   `json:"created_at,omitzero"`
	Creator     string      `json:"creator,omitempty"` // login; read by audits only
}

// CommitStatuses is what one answer of GitHub says of a commit: which repository it is
// in, and the newest status of each context.
type CommitStatuses struct {
	Repository Repository // without its default branch
	Properties Properties // of the repository; unknown where the answer has none
	List       []Status
}

// Comment is one comment on an issue or a pull request.
type Comment struct {
	ID        int64
	Author    string // login
	Body      string
	UpdatedAt time.Time
}

// PullRequest is what metapipe needs to know of a pull request.
type PullRequest struct {
	Number     int
	State      string // open or closed
	Merged     bool
	Head       SHA
	HeadBranch string
	HeadRepoID int64 // differs from the repo's id when it comes from a fork
	BaseBranch string
	MergeSHA   SHA
}

// WorkflowRun is a run as GitHub reports it.
type WorkflowRun struct {
	ID         int64
	Attempt    int // 0 when GitHub does not say
	Event      string
	Status     string // queued, in_progress, completed …
	Conclusion string
	HeadSHA    SHA
	HeadBranch string
	Path       string // workflow file, such as .github/workflows/trigger-infra.yml
	Actor      string // login of StartedBy
	// StartedBy caused the first attempt (GitHub's actor). TriggeredBy caused this
	// one (triggering_actor): on a re-run, who asked for it. Either may be unknown.
	StartedBy   Account
	TriggeredBy Account
	URL         string
	RepoID      int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// File is one file of a repository at a commit.
type File struct {
	Path    string
	Blob    SHA
	Content []byte
	Moved   bool // GitHub answered it under another name of the repository
}

// Deployment is one deployment with the state of its newest status.
type Deployment struct {
	ID          int64             `json:"id"`
	SHA         SHA               `json:"sha"`
	Ref         string            `json:"ref"`
	Environment string            `json:"environment"`
	Description string            `json:"description"`
	Payload     DeploymentPayload `json:"payload"`
	State       string            `json:"state"`
	LogURL      string            `json:"log_url,omitempty"`
	Creator     string            `json:"creator,omitempty"` // login; read by audits only
	// First: no one can have made this deployment before, so that who creates it need not look.
	First bool `json:"-"`
}

// DeploymentPayload is the machine-readable part of a deployment. Sensitive
// outputs are never in it.
type DeploymentPayload struct {
	Request  RequestID    `json:"request"`
	Customer CustomerName `json:"customer"`
	// Path is the directory of variables.yml; empty in older deployments.
	Path        string            `json:"path,omitempty"`
	Environment Environment       `json:"environment"`
	Stack       StackName         `json:"stack,omitempty"`
	Outcome     Outcome           `json:"outcome"`
	Outputs     map[string]string `json:"outputs"` // name → JSON text
	// LeftOut are the names of outputs that GitHub had no room for.
	LeftOut []string `json:"left_out,omitempty"`
	// Ledger is the head of the target's ledger when the apply was reported, and
	// Receipt the digest of the applied plan's receipt: anyone who can write to the
	// store cannot change them here. Older deployments have neither.
	Ledger  *LedgerHead `json:"ledger,omitempty"`
	Receipt string      `json:"receipt,omitempty"`
}
