package hub

import "encoding/json"

// Plan is what an account pays for. It decides which protections a private repository can
// have; a public one has them all: https://docs.github.com/get-started/learning-about-github/githubs-plans
type Plan string

// The plans. An account without one has all features.
const (
	PlanFree       Plan = "free"       // private: no environments, no rulesets
	PlanTeam       Plan = "team"       // private: no reviewers and no wait timer
	PlanEnterprise Plan = "enterprise" // everything
)

// ActionsSettings are the Actions permissions of a repository. The zero value is what GitHub gives a new one.
type ActionsSettings struct {
	Disabled bool
	Allowed  string // all, local_only or selected; empty: all
	// WriteToken: the GITHUB_TOKEN of a job without `permissions` can write.
	WriteToken bool
	// Approves: Actions can approve pull requests.
	Approves bool
}

// Ruleset is a ruleset of branches.
type Ruleset struct {
	ID          int64 // 0: the next free one
	Name        string
	Enforcement string   // active, evaluate or disabled; empty: active
	Include     []string // ~ALL, ~DEFAULT_BRANCH or refs/heads/…; empty: ~DEFAULT_BRANCH
	Exclude     []string
	Rules       []Rule
	Bypass      json.RawMessage // a list; empty: none
}

// Rule is one rule of a ruleset, also of a type that is not known here.
type Rule struct {
	Type       string          `json:"type"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

// Variable is a variable of Actions.
type Variable struct{ Name, Value string }

// settings are what the administrators of a repository choose.
type settings struct {
	actions   ActionsSettings
	rulesets  []*Ruleset
	secrets   []string                // names
	sealed    map[string]sealedSecret // by name in upper case: those that came through the API
	keys      *secretKeys             // nil until the first one is asked for
	variables []Variable
}
