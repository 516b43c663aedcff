package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// GitHub is what doctor asks. Each method sends at most one request, beside those with which an App
// gets its token.
type GitHub interface {
	Credential() Credential // what the answers so far say of the token
	Settings(ctx context.Context, repo pipeline.Slug) (Repository, error)
	Installation(ctx context.Context, repo pipeline.Slug) (Installation, error)
	Tree(ctx context.Context, repo pipeline.Slug, branch string) (Tree, error)
	Blob(ctx context.Context, repo pipeline.Slug, id pipeline.SHA) ([]byte, error)
	Workflows(ctx context.Context, repo pipeline.Slug) ([]Workflow, error)
	BranchRules(ctx context.Context, repo pipeline.Slug, branch string) ([]string, error)
	ActionsPermissions(ctx context.Context, repo pipeline.Slug) (ActionsPermissions, error)
	WorkflowPermissions(ctx context.Context, repo pipeline.Slug) (WorkflowPermissions, error)
	Environments(ctx context.Context, repo pipeline.Slug) ([]Environment, error)
	DeploymentBranches(ctx context.Context, repo pipeline.Slug, environment string) ([]string, error)
	SecretNames(ctx context.Context, repo pipeline.Slug) ([]string, error)
	Variables(ctx context.Context, repo pipeline.Slug) (map[string]string, error)
	SubjectClaim(ctx context.Context, repo pipeline.Slug) (pipeline.SubjectClaim, error)
	// Try asks for something that needs the permission. For a write it sends one that GitHub has to refuse, so that
	// nothing changes. nil: the token has the permission.
	Try(ctx context.Context, repo pipeline.Slug, permission, level string) error
	// TryOrganization is Try for a permission of an organization.
	TryOrganization(ctx context.Context, org, permission, level string) error
}

// TokenKind is a kind of credential.
type TokenKind string

// The kinds of credentials.
const (
	Classic     TokenKind = "classic"      // a personal access token with scopes, or that of an OAuth app
	FineGrained TokenKind = "fine-grained" // a personal access token for some repositories
	App         TokenKind = "app"          // a GitHub App with its private key
	Job         TokenKind = "job"          // the GITHUB_TOKEN of a job, or another token of an App
)

// Credential is what GitHub shows of a token in the headers of its answers.
type Credential struct {
	Kind    TokenKind
	Scopes  []string  // of Classic
	Expires time.Time // zero: not said
	// Now is GitHub's clock at the last answer, and Here that of this machine; zero: there was no answer.
	Now, Here time.Time
}

// Repository is a repository and what the token's user can do there.
type Repository struct {
	pipeline.Repository
	Private, Fork bool
	Organization  bool // the owner is one
	Push, Admin   bool // the user can push, and change the settings
	Properties    pipeline.Properties
}

// Installation is a GitHub App in a repository.
type Installation struct {
	Permissions map[string]string // as in GitHub's API: "pull_requests" → "write"
	Suspended   bool
}

// Tree are the files of a branch.
type Tree struct {
	Files     []TreeFile
	Truncated bool // GitHub has left some out
}

// TreeFile is one of them.
type TreeFile struct {
	Path string
	Mode string // git's: 100644, 100755, 120000 for a link, 160000 for a submodule
	ID   pipeline.SHA
}

// Workflow is a workflow as GitHub knows it.
type Workflow struct{ Path, State string }

// ActionsPermissions say whether Actions is on.
type ActionsPermissions struct {
	Enabled bool
	Allowed string // all, local_only or selected
}

// WorkflowPermissions are those of jobs that name none.
type WorkflowPermissions struct {
	Token    string // read or write
	Approves bool   // Actions can approve pull requests
}

// Environment is an environment with its protection rules.
type Environment struct {
	Name              string
	Reviewers         int
	Wait              time.Duration
	PreventSelfReview bool
	// Bypass: administrators can pass the gate; nil: not said.
	Bypass *bool
	// Branches is who can deploy.
	Branches BranchPolicy
}

// BranchPolicy says which branches can deploy to an environment.
type BranchPolicy string

// The policies.
const (
	AnyBranch         BranchPolicy = ""
	ProtectedBranches BranchPolicy = "protected" // those with a branch protection rule; all where none has one
	NamedBranches     BranchPolicy = "named"
)

// neededPermission is an error of GitHub that says what the token lacks, such as "statuses=write".
type neededPermission interface {
	error
	Needed() (permission string, forbidden bool)
}

// lacking is the permission that an answer says is missing; forbidden is false for an error of another kind.
func lacking(err error) (permission string, forbidden bool) {
	var e neededPermission
	if errors.As(err, &e) {
		return e.Needed()
	}
	return "", false
}

// rejected reports whether GitHub does not know the token.
func rejected(err error) bool {
	var e interface{ IsUnauthorized() bool }
	return errors.As(err, &e) && e.IsUnauthorized()
}

// planned reports whether the plan of the owner lacks the feature.
func planned(err error) bool {
	var e interface{ IsPlan() bool }
	return errors.As(err, &e) && e.IsPlan()
}
