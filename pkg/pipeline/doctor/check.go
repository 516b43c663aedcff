package doctor

import "slices"

// State is how a check ended.
type State string

// The states, from the best to the worst.
const (
	OK      State = "ok"
	Unknown State = "unknown" // it could not be looked at; Needs says what is missing
	Warn    State = "warn"
	Fail    State = "fail"
)

// Check is one finding.
type Check struct {
	ID      string `json:"id"`      // one of All
	Subject string `json:"subject"` // what was looked at: a token, a repository, an environment
	State   State  `json:"state"`
	// Evidence is what was seen.
	Evidence string `json:"evidence"`
	// Remedy is what to do; empty where nothing is to be done.
	Remedy string `json:"remedy,omitempty"`
	// Needs is the permission that is missing, of which token and for which commands.
	Needs string `json:"needs,omitempty"`
}

// Kind is a kind of check.
type Kind struct{ ID, Looks string }

// All are the kinds of checks, in the order of a report.
var All = []Kind{
	{"clock", "the clock of this machine against that of GitHub"},
	{"token.kind", "what kind of token it is"},
	{"token.expiry", "when the token ends, and whether GitHub accepts it"},
	{"token.permission", "one permission of a token, and the commands that need it"},
	{"manager.repository", "the repository of the manager: visible, not archived"},
	{"manager.ruleset", "rules that keep customers' tokens from pushing to the default branch"},
	{"manager.actions", "whether Actions is on, and which actions may run"},
	{"manager.workflow-token", "what the GITHUB_TOKEN of a job without permissions can do"},
	{"manager.workflow-files", "the workflow files of the checkout against the shipped ones"},
	{"manager.workflow-state", "whether GitHub runs each workflow"},
	{"manager.secrets", "the names of the secrets that the workflows need"},
	{"manager.variables", "the variables that the workflows need"},
	{"environment.exists", "whether the environment is there: GitHub makes a missing one without rules"},
	{"environment.reviewers", "required reviewers of a gated environment"},
	{"environment.wait-timer", "the wait timer that metapipe.yml asks for"},
	{"environment.self-review", "whether requesters can approve their own applies"},
	{"environment.bypass", "whether administrators can pass the gate"},
	{"environment.branches", "which branches can deploy"},
	{"oidc.subject", "the form of the subject in ID tokens, which roles trust"},
	{"store.bucket", "the settings of the state bucket"},
	{"store.isolation", "whether each target has credentials of its own"},
	{"store.lock", "a lock that lies beside a state"},
	{"cloud.identity", "who this process is in AWS"},
	{"cloud.role", "the role of a target, with the ID token of the run"},
	{"keys.seal", "whether plans can be sealed and opened again"},
	{"spacelift.key", "the API key of Spacelift"},
	{"spacelift.space", "the space of the stacks in Spacelift"},
	{"spacelift.policy", "a policy of the stacks, and whether that of approvals is one"},
	{"spacelift.context", "a context of the stacks"},
	{"spacelift.worker-pool", "the private worker pool of the stacks"},
	{"tool.version", "the tool of a stack, and its version"},
	{"customer.repository", "the repository of a customer: id, name, visible, not archived"},
	{"customer.owner", "whether the repository still has the owner of the customer's file"},
	{"customer.app", "whether the GitHub App is installed there, and not suspended"},
	{"customer.path", "whether the customer's directory has variables.yml"},
	{"customer.variables-file", "variables.yml under the rules of the manager"},
	{"customer.workflow", "the workflow that sends requests: there, and the shipped one"},
	{"customer.workflow-state", "whether GitHub runs that workflow"},
	{"customer.secrets", "the names of the secrets that trigger needs"},
	{"customer.variables", "MANAGER_REPO_OWNER and MANAGER_REPO_NAME"},
	{"customer.properties", "the custom properties of the repository"},
	{"customer.content-type", "the files against the content type of the repository"},
	{"end-to-end", "a dry run of a customer from its dispatch to its report"},
}

// Known reports whether there is such a kind of check.
func Known(id string) bool {
	return slices.ContainsFunc(All, func(k Kind) bool { return k.ID == id })
}

// Report is what a run of doctor found.
type Report struct {
	Checks  []Check `json:"checks"`
	OK      int     `json:"ok"`
	Warned  int     `json:"warn"`
	Failed  int     `json:"fail"`
	Unknown int     `json:"unknown"`
}

// NewReport counts the checks and puts them in the order of All. Those of one kind keep theirs.
func NewReport(checks []Check) Report {
	r := Report{Checks: slices.Clone(checks)}
	if r.Checks == nil {
		r.Checks = []Check{}
	}
	place := map[string]int{}
	for i, k := range All {
		place[k.ID] = i
	}
	slices.SortStableFunc(r.Checks, func(a, b Check) int { return place[a.ID] - place[b.ID] })
	for _, c := range r.Checks {
		switch c.State {
		case OK:
			r.OK++
		case Warn:
			r.Warned++
		case Fail:
			r.Failed++
		default:
			r.Unknown++
		}
	}
	return r
}
