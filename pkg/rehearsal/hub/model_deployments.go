package hub

import (
	"encoding/json"
	"time"
)

// EnvironmentRules are the protection rules of an environment.
type EnvironmentRules struct {
	Reviewers         []string // logins, at most six; one approval is enough
	Teams             []*Team  // a member of one may review, too
	PreventSelfReview bool
	WaitTimer         time.Duration // whole minutes
	// Branches may deploy; empty: all. Exact names or path.Match patterns.
	Branches []string
	// NoBypass: administrators cannot pass the gate without an approval.
	NoBypass bool
	// ProtectedBranches alone may deploy, in place of Branches. No branch here has branch
	// protection, and then every branch may, as on GitHub.
	ProtectedBranches bool
}

type environment struct {
	id               int64
	ruleIDs          [3]int64
	name             string
	rules            EnvironmentRules
	policyIDs        map[string]int64 // of the patterns in rules.Branches
	created, updated time.Time
}

type deployment struct {
	id                                        int64
	sha, ref, task, env, description, creator string
	payload                                   json.RawMessage
	transient, production                     bool
	created, updated                          time.Time
	statuses                                  []*deploymentStatus
	runID                                     int64 // of the job that made it by naming an environment
}

type deploymentStatus struct {
	id                          int64
	state, description, creator string
	logURL, environmentURL, env string
	at                          time.Time
}

type status struct {
	id                                int64
	state, context, description, link string
	creator                           string
	at                                time.Time
}
