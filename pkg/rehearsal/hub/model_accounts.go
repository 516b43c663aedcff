package hub

import (
	"crypto/rsa"
	"time"
)

// Kind is the type of an account.
type Kind string

// The kinds of account.
const (
	Person       Kind = "User"
	Organization Kind = "Organization"
	Bot          Kind = "Bot"
)

// User is an account: a person, an organization or a bot.
type User struct {
	Login string `json:"login"`
	ID    int64  `json:"id"` // 0: the next free one
	Type  Kind   `json:"type"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Plan  Plan   `json:"plan,omitempty"` // empty: one with all features
}

// TokenKind is the family of a token; it decides about rights, messages and
// rate limits.
type TokenKind string

// The kinds of token.
const (
	Classic     TokenKind = "classic"      // a personal access token with scopes
	FineGrained TokenKind = "fine-grained" // a personal access token for some repositories
	App         TokenKind = "app"          // an installation token of a GitHub App
	Actions     TokenKind = "actions"      // the GITHUB_TOKEN of one job
)

// Token is a credential.
type Token struct {
	Name   string // how the call log calls it; unique
	Secret string // made up when empty
	Kind   TokenKind
	// User is the login it acts as. Empty on Actions means github-actions[bot].
	User   string
	Scopes []string // of a classic token: "repo", "repo:status", "public_repo" …
	// Repositories are owner/name, for every kind but Classic.
	Repositories []string
	// Permissions are as in `permissions:` of a workflow: "contents" → "write".
	// metadata: read is always there. Not used by Classic.
	Permissions map[string]string
	Expires     time.Time // zero: never

	repos        map[int64]bool
	installation *installation // of an App's token that was asked for
}

// GitHubApp is an App. Each account that has one of its repositories has an
// installation of it.
type GitHubApp struct {
	Slug  string // it writes as Slug[bot]
	Owner string // login of the account that made it
	// Repositories are owner/name, where it is installed.
	Repositories []string
	Permissions  map[string]string
}

type app struct {
	GitHubApp
	id            int64
	key           *rsa.PublicKey
	made          time.Time
	installations []*installation
}

type installation struct {
	id        int64
	owner     string // lower-case login
	repos     map[int64]bool
	suspended bool
	made      time.Time
}

// Secondary are GitHub's limits on bursts ("Rate limits for the REST API",
// secondary rate limits): 900 points a minute, where a read costs 1 and a write
// 5, and 80 writes that create content a minute. Zero: not enforced.
type Secondary struct {
	PointsPerMinute  int
	ContentPerMinute int
}

// bucket is the allowance of one account, or of one repository's GITHUB_TOKENs.
type bucket struct {
	limit, used int
	reset       time.Time
	minute      time.Time
	points      int
	content     int
	blocked     time.Time // secondary limit: until then
}

// ghostLogin is the account that GitHub shows in place of every deleted one, with its
// true id: https://docs.github.com/en/account-and-profile/concepts/account-management
const ghostLogin = "ghost"
