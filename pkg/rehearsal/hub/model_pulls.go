package hub

import (
	"time"
)

// MergeMethod is how a pull request is merged.
type MergeMethod string

// The merge methods.
const (
	MergeCommit MergeMethod = "merge"
	Squash      MergeMethod = "squash"
)

// NewPull describes a pull request to open.
type NewPull struct {
	Title, Body string
	Author      string // login
	Head        string // branch
	HeadRepo    *Repo  // nil: the same repository
	Base        string // branch; empty: the default branch
	Draft       bool
}

// PullRequest is a snapshot of one.
type PullRequest struct {
	Number     int       `json:"number"`
	Title      string    `json:"title"`
	Author     string    `json:"author"`
	State      string    `json:"state"`
	Merged     bool      `json:"merged"`
	HeadRepo   string    `json:"head_repo"`
	HeadBranch string    `json:"head_branch"`
	Head       string    `json:"head"`
	BaseBranch string    `json:"base_branch"`
	Base       string    `json:"base"`
	Merge      string    `json:"merge,omitempty"` // the test merge, or the commit that merged it
	CreatedAt  time.Time `json:"created_at"`
}

type pull struct {
	id                     int64
	number                 int
	title, body, author    string
	state                  string // open, closed
	merged, draft          bool
	mergedBy               string
	headRepo               *Repo
	headBranch, head       string
	baseBranch, base       string
	mergeSHA               string // the test merge while open; empty on conflict
	created, updated       time.Time
	closedAt, mergedAt     time.Time
	comments               []*comment
	labels                 []string
	previousHead           string // before the last push to it
	additions, deletions   int
	changedFiles, ncommits int
}
