package pipeline

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Manager is metapipe.yml: what the service provider decides for everybody.
type Manager struct {
	State        State
	Environments []EnvironmentRule // in promotion order
	// Stacks are those that metapipe.yml names, in the order in which they are deployed;
	// without any, each customer has one unnamed stack in each environment.
	Stacks []StackRule `json:",omitempty"`
	// Tool is that of the unnamed stack. Others have their own: see Customer.Module.
	Tool ToolRule
	// Role is taken by plan and apply with the run's own ID token, and cut to the
	// target.
	Role Role
	// Schema is the path of the JSON Schema of variables.yml, relative to the
	// manager directory; empty means that only the built-in rules hold.
	Schema string
	// CustomerVariables are variables of the root modules that customers may set
	// although the schema does not name them; "*" stands for all.
	CustomerVariables []string `json:",omitempty"`
	// Code are patterns of what plans read in the manager directory; empty: the engine
	// guesses. The directory of a root module counts always.
	Code  []string `json:",omitempty"`
	Trust Trust
	// Issuer signs the ID tokens of customers' runs; empty: the usual one of the
	// GitHub server.
	Issuer string
	// Redaction says how much of a plan is shown; empty: with its values.
	Redaction Redaction
	Limits    Limits
	Drift     DriftRules
	// SealingKeys are KMS keys that seal plans and variables in place of
	// METAPIPE_KEY: the first one seals, each of them opens.
	SealingKeys []string `json:",omitempty"`
	// Properties say which custom properties of customers' repositories count; nil: none.
	Properties *PropertyRules `json:",omitempty"`
	// Content says what customers' repositories may hold; nil: anything.
	Content *ContentRules `json:",omitempty"`
	// Runner is that of the unnamed stack; empty: Actions. Others have their own: see
	// Customer.Runner.
	Runner Runner `json:",omitempty"`
	// Spacelift is the account that runs stacks; nil: none.
	Spacelift *SpaceliftRule `json:",omitempty"`
}

// EnvironmentRule is one environment of metapipe.yml.
type EnvironmentRule struct {
	Name Environment
	// Branches may apply to this environment. Exact names or path.Match
	// patterns ("release/*"); empty means: the customer's default branch.
	Branches []string
	// Gated environments must have required reviewers on `<name>-apply`.
	Gated bool
	// WaitTimer is the least that the wait timer of `<name>-apply` must be, in whole
	// minutes.
	WaitTimer time.Duration
	// PreventSelfReview demands an approval by someone other than the requester.
	PreventSelfReview bool
	// RequireReviewed refuses an apply whose plan differs from the one that the
	// pull request showed.
	RequireReviewed bool
	// Exactness refuses plans that are less exact; empty demands nothing.
	Exactness Exactness `json:",omitempty"`
	// AutoDeploy says which pushes are applied without anyone who starts the apply; a gate stays
	// what it is. Empty: those of all customers whose property does not forbid it.
	AutoDeploy AutoDeploy `json:",omitempty"`
}

// AutoDeploy is who has pushes applied automatically.
type AutoDeploy string

// AutoDeployAllowed is that of customers with the property that asks for it.
const AutoDeployAllowed AutoDeploy = "allowed"

// ToolRule names the binary that plans and applies.
type ToolRule struct {
	Name       string // as in metapipe.yml, such as "terraform"
	Constraint string // version constraint such as "~> 1.11"; empty: any
	// Env lists further environment variable names, or prefixes ending in "*",
	// that the tool may see beside the built-in allow-list.
	Env []string
	// Ansible is what only stacks of that tool have.
	Ansible AnsibleRule `json:",omitzero"`
	// Kubernetes is what only stacks of Kubernetes and Crossplane have.
	Kubernetes KubernetesRule `json:",omitzero"`
	// CloudFormation is what only stacks of that tool have.
	CloudFormation CloudFormationRule `json:",omitzero"`
}

// AnsibleRule is what metapipe.yml says of a stack of Ansible.
type AnsibleRule struct {
	SSHKey        string `json:",omitempty"` // environment variable with the private key; empty: none
	VaultPassword string `json:",omitempty"` // environment variable with the password of the vault; empty: none
	// RunsInCheck are the names of tasks with `check_mode: false`: plans run them for real.
	RunsInCheck []string `json:",omitempty"`
}

// SecretVariables are the environment variables with secrets that the rule names, by their keys in metapipe.yml.
func (t ToolRule) SecretVariables() map[string]string {
	all := map[string]string{"ssh_key": t.Ansible.SSHKey, "vault_password": t.Ansible.VaultPassword, "kubeconfig": t.Kubernetes.Kubeconfig}
	maps.DeleteFunc(all, func(_, name string) bool { return name == "" })
	return all
}

// KubernetesRule is what metapipe.yml says of a stack of Kubernetes or Crossplane.
type KubernetesRule struct {
	Kubeconfig string   `json:",omitempty"` // environment variable with a kubeconfig, or with the path of one
	Context    Template `json:",omitempty"` // of the kubeconfig; empty: its current one
	// Namespace is that of objects that name none; the inventory of the target lies in it.
	Namespace Template `json:",omitempty"`
	// Namespaces are further ones that objects may lie in: names, or prefixes ending in "*".
	Namespaces []Template `json:",omitempty"`
	// ClusterKinds are kinds without a namespace that manifests may hold, as Kind or Kind.group.
	ClusterKinds []string `json:",omitempty"`
	// Exec are the programs that the kubeconfig may run for its credentials.
	Exec []string `json:",omitempty"`
	// Wait is how long an apply waits until the objects are ready; 0: five minutes, below 0: not at all.
	Wait time.Duration `json:",omitempty"`
	// Render predicts what composite resources of Crossplane are composed of; zero: nothing does.
	Render RenderRule `json:",omitzero"`
}

// RenderRule names what `crossplane render` predicts with: files of the root of the stack, by paths relative to it.
type RenderRule struct {
	Version      string   // constraint of the crossplane CLI; empty: any
	Compositions []string // files with one Composition or more
	Functions    string   // a file with the Functions of their pipelines
	Definitions  []string // files with CompositeResourceDefinitions: of claims, and for default values
}

// Declared reports whether there is anything to predict with.
func (r RenderRule) Declared() bool { return r.Functions != "" && len(r.Compositions) > 0 }

// Trust says how the signature on a request is treated.
type Trust string

// The levels of trust, from the strictest to the loosest.
const (
	TrustRequired  Trust = "required"
	TrustPreferred Trust = "preferred"
	TrustOff       Trust = "off"
)

// Limits bound what one request may cost.
type Limits struct {
	VariablesBytes int           // size of variables.yml
	PlanTTL        time.Duration // how long a plan may wait for its apply
	PlanTimeout    time.Duration // wall time of one plan
	ApplyTimeout   time.Duration // wall time of one apply
	LockTimeout    time.Duration // how long to wait for a state lock
}

// Customer is one file of customers/.
type Customer struct {
	Name         CustomerName
	Repository   Slug
	RepositoryID int64
	Path         string // directory of variables.yml in the customer's repo
	// Root is the root module of the unnamed stack, relative to the manager directory.
	// Others have their own: see Customer.Module.
	Root string
	// Environments the customer may use; nil means all of metapipe.yml.
	Environments []Environment
	// Stacks that the customer has; nil means all of metapipe.yml.
	Stacks []StackName `json:",omitempty"`
	// Runners are those that the customer's file names for its stacks.
	Runners map[StackName]Runner `json:",omitempty"`
	// Manager is metapipe.yml with this customer's stricter values laid over it.
	Manager Manager
	// File is the path of the customer's file, for messages.
	File string
	// SharedRepository says that other customers live in the same repository, so
	// status contexts and deployments carry the customer's name.
	SharedRepository bool
	// Offboarded: an operator says that the customer has left. Only a destroy is accepted,
	// and its repository need not be there any more.
	Offboarded bool
	// Siblings are those other customers.
	Siblings []Sibling
}

// Sibling is another customer of the same repository.
type Sibling struct {
	Name CustomerName
	Path string
}

// Rule returns the rule of env, and false when metapipe.yml does not declare it.
func (m Manager) Rule(env Environment) (EnvironmentRule, bool) {
	for _, e := range m.Environments {
		if e.Name == env {
			return e, true
		}
	}
	return EnvironmentRule{}, false
}

// Allowed returns the environments that the customer may use, in promotion order.
func (c Customer) Allowed() []Environment {
	var allowed []Environment
	for _, rule := range c.Manager.Environments {
		if c.Allows(rule.Name) {
			allowed = append(allowed, rule.Name)
		}
	}
	return allowed
}

// Allows reports whether the customer may use env.
func (c Customer) Allows(env Environment) bool {
	if _, declared := c.Manager.Rule(env); !declared {
		return false
	}
	if c.Environments == nil {
		return true
	}
	for _, e := range c.Environments {
		if e == env {
			return true
		}
	}
	return false
}

// NeedsApproval reports whether anything holds an apply to the environment back.
func (r EnvironmentRule) NeedsApproval() bool {
	return r.Gated || r.WaitTimer > 0 || r.PreventSelfReview
}

// AllowedNames lists the environments that a customer may use, in promotion order.
func AllowedNames(c Customer) string {
	return JoinNames(c.Allowed())
}

// JoinNames writes names in one line, with commas between them.
func JoinNames[T ~string](names []T) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = string(name)
	}
	return strings.Join(all, ", ")
}

// Admits reports whether a branch may apply to the environment. It compares whole
// branch names: "maintenance" does not contain "main".
func (r EnvironmentRule) Admits(branch, defaultBranch string) bool {
	if len(r.Branches) == 0 {
		return branch != "" && branch == defaultBranch
	}
	return slices.ContainsFunc(r.Branches, func(pattern string) bool {
		ok, err := path.Match(pattern, branch)
		return err == nil && ok
	})
}

// SessionTime is how long credentials must last for the work.
func (l Limits) SessionTime(work Work) time.Duration {
	if work == WorkApply {
		return l.ApplyTimeout + sessionMargin
	}
	return l.PlanTimeout + sessionMargin
}
