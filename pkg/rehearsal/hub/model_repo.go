package hub

import (
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

// Role is what an account may do in a repository.
type Role int

// The roles, from none to all.
const (
	NoRole Role = iota
	Read
	Write
	Admin
)

// RepoOptions describe a new repository. The zero value is a public one.
type RepoOptions struct {
	ID            int64 // 0: the next free one
	DefaultBranch string
	Private       bool
	Template      bool
	NoIssues      bool
	Description   string
	Properties    Properties // nil: some of every form, or none where the organization defines properties
}

// Repo is a repository. Its methods are safe for concurrent use.
type Repo struct {
	s             *Server
	id            int64
	owner, name   string
	defaultBranch string
	private       bool
	noIssues      bool
	archived      bool
	template      bool
	queryFaults   map[string]QueryFault // by the field of a query
	// immutableSubject adds ids to the subject of ID tokens.
	immutableSubject bool
	locked           map[int]bool // conversations, by their number
	description      string
	// properties are Properties, a json.RawMessage of any form, or nil: those that no one
	// has chosen.
	properties   any
	created      time.Time
	pushed       time.Time
	parent       *Repo
	roles        map[string]Role // by lower-case login
	git          *gitstore.Store // shared with forks
	refs         map[string]string
	statuses     map[string][]*status // by commit, oldest first
	number       int                  // the last number of an issue or pull request
	pulls        map[int]*pull
	issues       map[int]*issue
	gone         map[int]string // numbers of issues that were deleted, or where they have moved to
	labels       []*label
	deployments  []*deployment
	environments []*environment
	workflows    []*workflow
	runs         []*run
	settings     settings
}
