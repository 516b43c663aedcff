package config

// The rules of metapipe.yml and customers/ beside those of strictyaml.
const (
	RuleNoManagerFile      = "missing-metapipe-yml"
	RuleUnreadable         = "unreadable-file"
	RuleUnknownKey         = "unknown-key"
	RuleMissingKey         = "missing-key"
	RuleType               = "type"
	RuleValue              = "value"
	RuleName               = "name"
	RuleReservedName       = "reserved-name"
	RuleDuplicate          = "duplicate"
	RulePath               = "path"
	RuleMissingPath        = "missing-path"
	RuleNoModule           = "no-root-module"
	RuleLooser             = "looser-than-manager"
	RuleUnknownEnvironment = "unknown-environment"
	RuleUnknownStack       = "unknown-stack"
	RuleStackOrder         = "stack-order"
	RuleNeededStack        = "needed-stack"
	RuleRepositoryMismatch = "repository-mismatch"
	RuleStrayFile          = "stray-file"
	RuleUngated            = "ungated-production"
	RuleTemplate           = "template"
	RuleShared             = "shared-between-targets"
)

// CustomerExample is the least that a file in customers/ holds.
const CustomerExample = "{repository: owner/name, repository_id: 123456789}"

const (
	managerExample  = "environments: [{name: staging}, {name: production, gated: true}]"
	maxFileBytes    = 256 << 10
	maxSchemaBytes  = 1 << 20
	maxEnvironments = 20
	maxStacks       = 20
	maxChain        = 60  // targets of a customer, each with two jobs of one workflow run
	maxIssuer       = 300 // bytes
)
