package pipeline

import (
	"slices"
	"strings"
)

// Runner is who plans and applies a target.
type Runner string

// The runners. A target has one: two that apply to one state would undo each other's work.
const (
	RunnerActions   Runner = "actions"
	RunnerSpacelift Runner = "spacelift"
)

// SpaceliftRule is what metapipe.yml says of Spacelift.
type SpaceliftRule struct {
	// Endpoint is the address of the account: https://ACCOUNT.app.spacelift.io.
	Endpoint string
	Space    string // id of the space of all stacks
	Branch   string // of the manager's repository, which stacks follow
	// Integration is the id of the connection of Spacelift to GitHub; empty: the account's own.
	Integration string `json:",omitempty"`
	// WorkerPool is the id of a private pool; empty: public workers.
	WorkerPool string `json:",omitempty"`
	// OIDC: the secret of the API key is an ID token of the run.
	OIDC bool `json:",omitempty"`
	// ApprovalPolicy is the id of the policy that stacks of environments with a gate get.
	ApprovalPolicy string   `json:",omitempty"`
	Policies       []string `json:",omitempty"` // ids of further policies of every stack
	Contexts       []string `json:",omitempty"` // ids of the contexts of every stack
	// Drift is when Spacelift looks for drift; nil: never.
	Drift *SpaceliftDrift `json:",omitempty"`
	// ManageState: Spacelift keeps the states, and not the backend of metapipe.yml.
	ManageState bool `json:",omitempty"`
}

// SpaceliftDrift is the schedule of the drift detection of Spacelift.
type SpaceliftDrift struct {
	Schedule  []string // cron expressions, in UTC
	Reconcile bool     // apply what would take the drift back
}

// Runs reports whether Spacelift can run stacks of a tool so that they get the customer's
// values as metapipe gives them.
func (SpaceliftRule) Runs(tool string) bool { return tool == "terraform" || tool == "tofu" }

// Host is the host of the account.
func (s SpaceliftRule) Host() string { return strings.TrimPrefix(s.Endpoint, "https://") }

// Runner is who runs a stack of the customer: as the customer's file says, else metapipe.yml.
func (c Customer) Runner(stack StackName) Runner {
	if r := c.Runners[stack]; r != "" {
		return r
	}
	if s, declared := c.Manager.Stack(stack); declared && s.Runner != "" {
		return s.Runner
	}
	if stack == "" && c.Manager.Runner != "" {
		return c.Manager.Runner
	}
	return RunnerActions
}

// RunBy are the customer's targets that a runner has, in the order of Targets.
func (c Customer) RunBy(r Runner) []Target {
	return slices.DeleteFunc(c.Targets(), func(t Target) bool { return c.Runner(t.Stack) != r })
}

// SpaceliftID is the id of the target's stack in Spacelift, which it keeps for ever:
// mp-CUSTOMER-ENVIRONMENT, or mp-CUSTOMER-ENVIRONMENT-STACK.
func (t Target) SpaceliftID() string {
	id := "mp-" + string(t.Customer) + "-" + string(t.Environment)
	if t.Stack != "" {
		id += "-" + string(t.Stack)
	}
	return id
}
