package onboarding

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Repository is a repository with what decides whether it can be onboarded.
type Repository struct {
	pipeline.Repository
	Fork     bool
	ByPerson bool // its owner is a person, and no organization
}

// Commit is a commit of git.
type Commit struct {
	Tree    pipeline.SHA
	Message string
}

// NewCommit is a commit to be made: the tree of another one with some more files.
type NewCommit struct {
	Parent, Tree pipeline.SHA
	Files        map[string][]byte
	Message      string
}

// Pull is a pull request to be opened.
type Pull struct{ Branch, Base, Title, Body string }

// GitHub is what onboarding asks of GitHub. All of it can be done again after an answer was lost.
type GitHub interface {
	OnboardingRepository(ctx context.Context, repo pipeline.Slug) (Repository, error)
	BranchHead(ctx context.Context, repo pipeline.Slug, branch string) (pipeline.SHA, error)
	File(ctx context.Context, repo pipeline.Slug, ref, name string) (pipeline.File, error)
	Commit(ctx context.Context, repo pipeline.Slug, id pipeline.SHA) (Commit, error)
	MakeCommit(ctx context.Context, repo pipeline.Slug, c NewCommit) (pipeline.SHA, error)
	MakeBranch(ctx context.Context, repo pipeline.Slug, branch string, at pipeline.SHA) error
	MoveBranch(ctx context.Context, repo pipeline.Slug, branch string, to pipeline.SHA) error
	RemoveBranch(ctx context.Context, repo pipeline.Slug, branch string) error
	// OpenPullRequest is the number of the open pull request from a branch of the repository itself, or
	// 0 where there is none.
	OpenPullRequest(ctx context.Context, repo pipeline.Slug, id int64, branch string) (int, error)
	OpenPull(ctx context.Context, repo pipeline.Slug, id int64, p Pull) error
	ClosePull(ctx context.Context, repo pipeline.Slug, number int) error
	SecretNames(ctx context.Context, repo pipeline.Slug) ([]string, error)
	// SetSecret seals a secret of Actions for the repository.
	SetSecret(ctx context.Context, repo pipeline.Slug, name, value string) error
	RemoveSecret(ctx context.Context, repo pipeline.Slug, name string) error
	// Setting and SetSetting are those of package settings.
	Setting(ctx context.Context, repo pipeline.Slug, what string) (json.RawMessage, error)
	SetSetting(ctx context.Context, repo pipeline.Slug, what string, from, to json.RawMessage) error
}

// isEmpty reports whether GitHub has refused something since a repository has no commit.
func isEmpty(err error) bool {
	var empty interface{ IsEmpty() bool }
	return errors.As(err, &empty) && empty.IsEmpty()
}
