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
	RuleSchema             = "schema"
	RuleLooser             = "looser-than-manager"
	RuleUnknownEnvironment = "unknown-environment"
	RuleRepositoryMismatch = "repository-mismatch"
	RuleStrayFile          = "stray-file"
	RuleUngated            = "ungated-production"
	RuleTemplate           = "template"
	RuleShared             = "shared-between-targets"
)

const (
	managerExample  = "environments: [{name: staging}, {name: production, gated: true}]"
	customerExample = "{repository: owner/name, repository_id: 123456789}"
	maxFileBytes    = 256 << 10
	maxSchemaBytes  = 1 << 20
	maxEnvironments = 20
	maxIssuer       = 300 // bytes
)
